/* disassemble.h - machine code as text for people: Intel syntax, through Zydis. Nothing that pie
 * computes depends on it. */
#ifndef PIE_TRACE_DISASSEMBLE_H
#define PIE_TRACE_DISASSEMBLE_H

#include <stddef.h>
#include <stdint.h>

/* How people call @address: text, a NUL-terminated word of at most @size bytes, is written to
 * @text. Returns 0 when it has no name; the number is then printed. */
typedef int pie_name_address(const void *context, uint64_t address, char *text, size_t size);

/* The instruction of @n_bytes at @address, cut at @size - 1 characters. Branch targets and
 * RIP-relative addresses are called as @name (may be NULL) says. Bytes that do not decode: "(bad)".
 */
void pie_disassemble(uint64_t address, const void *bytes, size_t n_bytes, pie_name_address *name,
                     const void *context, char *text, size_t size);

#endif
