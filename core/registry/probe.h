/* probe.h - reads descriptors of modules in a child process, so that a module which crashes, hangs
 * or ends the process when loaded costs one line. */
#ifndef PIE_REGISTRY_PROBE_H
#define PIE_REGISTRY_PROBE_H

#include "pie/plugin.h"

#include <jansson.h>

/* Reads @paths one after the other. For each, in order, one of the two is called:
 * found: @module = [{"kind","id","version","summary","licence","options":[..],"requires":[..],
 *   "deterministic","capabilities","style"}], borrowed.
 * refused: @status PIE_ERR_ABI or PIE_ERR_CRASHED, @why one line without the path.
 * @timeout_ms: for one file. PIE_ERR_NOMEM, PIE_ERR_IO (no pipe or process: errno), or what a
 * callback returned. */
typedef struct pie_probe {
    void *context;
    pie_status (*found)(void *context, size_t index, json_t *module);
    pie_status (*refused)(void *context, size_t index, pie_status status, const char *why);
    int timeout_ms;
} pie_probe;
pie_status pie_probe_run(const pie_probe *probe, const char *const *paths, size_t n_paths);

#endif
