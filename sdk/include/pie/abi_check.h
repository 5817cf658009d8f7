/* pie/abi_check.h - is a module a complete pie plugin for this ABI?
 *
 * Shared by everything that loads modules, so that all of them refuse the same things with the same
 * words. Nothing here calls a function of the module. [any-thread] */
#ifndef PIE_ABI_CHECK_H
#define PIE_ABI_CHECK_H

#include "pie/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Room for any message below. */
#define PIE_ABI_MESSAGE_BYTES 512

/* Check @module (NULL: the symbol is missing) and every plugin in it. PIE_ERR_ABI with one line in
 * @ret_message that says what is wrong and which side to mend; it names no file. */
pie_status pie_abi_check_module(const pie_module *module, char *ret_message, size_t n_message);

/* The kinds this ABI knows, NULL at the end. */
const char *const *pie_abi_kinds(void);

/* Keys that pie itself reads in the config group of a plugin of @kind ("plugin", "samples"): no
 * option may have such a name. NULL at the end; NULL for an unknown kind. */
const char *const *pie_abi_reserved_options(const char *kind);

/* One item of an option's default. */
typedef struct pie_default_item {
    int32_t boolean;   /* BOOL */
    int64_t integer;   /* INT */
    double number;     /* FLOAT, FLOAT_LIST */
    char string[1024]; /* STRING, PATH and their lists */
} pie_default_item;

/* Item @index of the default of @option, checked against type, range and choices; a plain option
 * has one item. PIE_ERR_AGAIN: there is no such item. PIE_ERR_CONFIG: the default is malformed. A
 * string may stand without quotes unless it is in a list of several. */
pie_status pie_option_default(const pie_option *option, size_t index, pie_default_item *ret_item);

/* 1 if @value is allowed by the min and max of @option. */
int pie_option_in_range(const pie_option *option, double value);

/* 1 if @text is one of @option's choices, or the option has none. */
int pie_option_is_choice(const pie_option *option, const char *text);

/* Bytes of the longest start of @text that is UTF-8; @n_bytes when all of it is. */
size_t pie_utf8_span(const char *text, size_t n_bytes);

#ifdef __cplusplus
}
#endif
#endif
