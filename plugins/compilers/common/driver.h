/* driver.h - a compiler that takes gcc's options: everything but its names. */
#ifndef PIE_COMPILERS_DRIVER_H
#define PIE_COMPILERS_DRIVER_H

#include "pie/compiler.h"

/* What sets one driver apart. Constant data. */
typedef struct pie_driver {
    const char *const *fixed;    /* flags that it always gets, first */
    const char *const *link;     /* and when it links */
    const char *const *identity; /* further programs whose version counts */
    int32_t precompiles; /* reads precompiled headers without a change of the product; has `pch` */
} pie_driver;            /* all lists end with NULL */

pie_status pie_driver_create(const pie_host *host, const pie_driver *driver, void **ret_self);
void pie_driver_destroy(void *self);
pie_status pie_driver_identify(void *self, pie_compile_plan *ret_plan);
pie_status pie_driver_prepare(void *self, const char *language, const char *header,
                              pie_compile_plan *ret_plan);
pie_status pie_driver_plan(void *self, const pie_compile_request *request,
                           pie_compile_plan *ret_plan);

/* The options that all drivers have; the programs' names are the plugin's. */
#define PIE_DRIVER_OPTIONS(cxx, c)                                                                \
    {.name = "flags",                                                                             \
     .type = PIE_OPTION_STRING_LIST,                                                              \
     .fallback = "[ \"-O3\" ]",                                                                   \
     .help = "flags for both languages; a -std= of the other language is left out"},              \
        {.name = "cxx_flags",                                                                     \
         .type = PIE_OPTION_STRING_LIST,                                                          \
         .fallback = "[ \"-std=c++17\" ]",                                                        \
         .help = "flags for C++, before `flags`"},                                                \
        {.name = "c_flags",                                                                       \
         .type = PIE_OPTION_STRING_LIST,                                                          \
         .help = "flags for C, before `flags`"},                                                  \
        {.name = "include", .type = PIE_OPTION_PATH_LIST, .help = "folders of header libraries"}, \
        {.name = "link",                                                                          \
         .type = PIE_OPTION_STRING,                                                               \
         .fallback = "static",                                                                    \
         .choices = "static|dynamic",                                                             \
         .help = "how programs are linked"},                                                      \
        {.name = "program_cxx",                                                                   \
         .type = PIE_OPTION_STRING,                                                               \
         .fallback = cxx,                                                                         \
         .help = "the C++ compiler, found on PATH"},                                              \
    {                                                                                             \
        .name = "program_c", .type = PIE_OPTION_STRING, .fallback = c,                            \
        .help = "the C compiler, found on PATH"                                                   \
    }

#endif
