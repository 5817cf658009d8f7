/* values.h - making pie_settings: defaults first, then what the user wrote, checked one by one. */
#ifndef PIE_CONFIG_VALUES_H
#define PIE_CONFIG_VALUES_H

#include "base/buf.h"
#include "config/settings.h"
#include "config/tree.h"

/* All options (ended by name NULL) at their defaults. Paths of defaults are relative to @folder (""
 * = the current one). PIE_ERR_NOMEM; PIE_ERR_CONFIG for a malformed default (a plugin with one
 * never gets into the registry). */
pie_status pie_settings_new(const pie_option *options, const char *folder,
                            pie_settings **ret_settings);
void pie_settings_free(pie_settings *settings);

const pie_option *pie_option_find(const pie_option *options, const char *name);

/* Give @option the value of @written. @folder: of the main config; a path below it is recorded
 * relative to it, so that it does not matter which included file, or --set, named it.
 * PIE_ERR_CONFIG: logged with file:line. */
pie_status pie_settings_assign(pie_settings *settings, const pie_option *option,
                               const config_setting_t *written, const pie_place *place,
                               const char *folder, const pie_log *log);

/* Complain about each required option that was not written. @group: "backend". */
pie_status pie_settings_complete(const pie_settings *settings, const char *group, const char *where,
                                 const pie_log *log);

/* The value as one would write it in a config file; paths as recorded. Appended. */
pie_status pie_setting_text(const pie_settings *settings, const pie_setting *setting, pie_buf *out);
/* "name = value;" lines for every option that is set, each after @indent; secrets and the option
 * @except (may be NULL) are left out. */
pie_status pie_settings_text(const pie_settings *settings, const char *indent, const char *except,
                             pie_buf *out);
/* @text between quotes, escaped as libconfig reads it. */
pie_status pie_text_quote(const char *text, pie_buf *out);
/* Absolute form of @path, in fresh memory; "" stays "": it means none. */
char *pie_path_absolute(const char *folder, const char *path);

#endif
