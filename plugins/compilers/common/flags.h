/* flags.h - which compiler flags may stand in a configuration. */
#ifndef PIE_COMPILERS_FLAGS_H
#define PIE_COMPILERS_FLAGS_H

#include <stdbool.h>

/* NULL when @flag is accepted, else why not: "makes the result depend on this machine". A flag is
 * one argument; only kinds that are known to change nothing but the product pass, since others name
 * files, run programs or swallow the argument that follows. Pure. */
const char *pie_flag_refusal(const char *flag);

/* Goes behind the source: libraries and what is for the linker alone. */
bool pie_flag_is_for_linker(const char *flag);

/* A language standard of the other language, which a list of flags common to both may hold. */
bool pie_flag_is_other_standard(const char *flag, bool is_cxx);

/* Asks for debug information. */
bool pie_flag_is_debug(const char *flag);

#endif
