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

#endif
