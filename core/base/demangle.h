/* demangle.h - C++ names as people write them, short: "std::vector::push_back" for the mangled name
 * with its template arguments and parameters. */
#ifndef PIE_BASE_DEMANGLE_H
#define PIE_BASE_DEMANGLE_H

#include <stddef.h>

/* Writes at most @size bytes, NUL included (cut if longer; @size > 0). A name that is not mangled,
 * or in a way that this reader does not know (expressions in template arguments, thunks, tables),
 * is written as it is. What a compiler appends (".cold", ".isra.0") stays. Pure. */
void pie_demangle(const char *name, char *text, size_t size);

#endif
