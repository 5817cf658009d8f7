/* elf.h - what pie wants to know of an x86-64 ELF program. */
#ifndef PIE_PIPELINE_ELF_H
#define PIE_PIPELINE_ELF_H

#include "pie/plugin.h"

#include <stdbool.h>

typedef struct pie_elf {
    bool is_dynamic;     /* asks for a program interpreter (ld.so) */
    uint64_t text_bytes; /* its executable sections; segments when it has no sections */
} pie_elf;

/* Look at the @n bytes of a file, which may be anything. PIE_ERR_DATA unless it is an x86-64
 * program that could be started; *@ret_reason (static) then says why not. Pure. */
pie_status pie_elf_read(const void *bytes, size_t n, pie_elf *ret_elf, const char **ret_reason);

/* A function or object by address, as linked. */
typedef struct pie_symbol {
    uint64_t address, end; /* one without a size ends with its section or where the next begins */
    const char *name;      /* printable ASCII, as in the file (mangled); points into the file */
} pie_symbol;

/* The symbols of a program, and what places its image in memory. */
typedef struct pie_symbols pie_symbols;

/* The symbol table of the @n bytes of a program that pie_elf_read() took; .dynsym when it is
 * stripped. Without either, or when they are damaged, there are no symbols, which is no error.
 * Of several names at one address one stays: the one with the fewest leading underscores, then the
 * shortest, then the first in the alphabet. PIE_ERR_NOMEM. @bytes are borrowed until
 * pie_symbols_free(). */
pie_status pie_symbols_new(const void *bytes, size_t n, pie_symbols **ret_symbols);
void pie_symbols_free(pie_symbols *symbols); /* NULL is allowed */
/* The symbol that @address, as linked, lies in; NULL = none. */
const pie_symbol *pie_symbols_find(const pie_symbols *symbols, uint64_t address);
/* Does @address, as linked, lie in a segment with code? */
bool pie_symbols_is_code(const pie_symbols *symbols, uint64_t address);
/* Could the @n @code seen at @address be the program's entry point? If so *@ret_bias = what was
 * added to all addresses when the program was loaded: whole pages, and 0 unless it can be placed
 * anywhere. */
bool pie_symbols_is_entry(const pie_symbols *symbols, uint64_t address, const void *code, size_t n,
                          uint64_t *ret_bias);

#endif
