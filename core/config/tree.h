/* tree.h - text in libconfig's syntax, made safe, into a tree that knows where each value stands.
 *
 * libconfig 1.5 reads 5000000000 as 705032704, ends the process when an included file is a folder,
 * reads /dev/zero for ever and needs quadratic time for large groups. So includes are put in place
 * here, and the text is scanned for such traps before libconfig sees it. */
#ifndef PIE_CONFIG_TREE_H
#define PIE_CONFIG_TREE_H

#include "base/log.h"

#include <libconfig.h>
#include <stdbool.h>

typedef struct pie_tree pie_tree;

/* @path NULL and @text NULL: an empty tree. @text: instead of the file @path, whose name and folder
 * still count. Messages are logged with file:line. PIE_ERR_CONFIG, PIE_ERR_NOMEM. */
pie_status pie_tree_load(const char *path, const char *text, const pie_log *log,
                         pie_tree **ret_tree);
void pie_tree_free(pie_tree *tree);
config_setting_t *pie_tree_root(pie_tree *tree);

/* Put "path.to.key=value" into the tree: members by name, items of lists by number (the number
 * after the last appends). PIE_ERR_CONFIG logged, PIE_ERR_NOMEM. */
pie_status pie_tree_set(pie_tree *tree, const char *assignment, const pie_log *log);
/* Give the top level the member @name with @value (libconfig syntax) unless it has one; it stands
 * at "default". */
pie_status pie_tree_set_default(pie_tree *tree, const char *name, const char *value);

/* Where a value was written. */
typedef struct pie_place {
    char where[512];    /* "run.cfg:7", "--set limits.memory" or "default" */
    const char *folder; /* what paths in it are relative to: "" = the current folder. Borrowed */
    const char *raw;    /* of --set: the text after '='; else NULL. Borrowed */
} pie_place;
void pie_tree_place(const pie_tree *tree, const config_setting_t *setting, pie_place *ret_place);
/* Folder of the main file, "" without one. */
const char *pie_tree_folder(const pie_tree *tree);

#endif
