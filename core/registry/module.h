/* module.h - from a file to a checked module. Executes code of the file: only in processes made for
 * it. */
#ifndef PIE_REGISTRY_MODULE_H
#define PIE_REGISTRY_MODULE_H

#include "pie/plugin.h"

enum { PIE_MODULE_MESSAGE_BYTES = 2048 };

/* dlopen the file, after a look at its header, and check the module in it. PIE_ERR_ABI with one
 * line in
 * @ret_message (without the path). The module stays loaded. */
pie_status pie_module_load(const char *path, char ret_message[PIE_MODULE_MESSAGE_BYTES],
                           const pie_module **ret_module);

#endif
