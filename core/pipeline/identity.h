/* identity.h - what a run is a run of: its configuration, dataset, toolchain and guest. Kept in
 * RUN/run.cfg (to read and to load again) and RUN/run.json:
 *
 *   {"format":1, "fingerprint":"<sha256>", "identity":{"dataset":"<sha256>","compiler":"..",
 *    "engine":"..","environment":"1","checker":null,"config":{result keys for the fingerprint}},
 *    "config":{all result keys}, "inputs":{"backend.path":"<sha256>"}, "rows":18,
 *    "protections":["seccomp: yes", ..]}
 *
 * "inputs": contents of the files that backend and prompt are told to read. "rows": of the dataset.
 *
 * The fingerprint is the digest of "identity": never of backend or prompt, so that the runs of two
 * language models compare. */
#ifndef PIE_PIPELINE_IDENTITY_H
#define PIE_PIPELINE_IDENTITY_H

#include "config/config.h"
#include "pipeline/survey.h"
#include "store/store.h"

/* New reference. PIE_ERR_IO (an unreadable checker), PIE_ERR_NOMEM. */
pie_status pie_identity_make(const pie_config *config, const pie_survey *survey,
                             const char *compiler, const char *engine, const pie_log *log,
                             json_t **ret_run_json);

/* Make the run folder belong to @run_json, or refuse: PIE_ERR_CONFIG, the differing keys logged. */
pie_status pie_identity_claim(pie_store *store, const pie_config *config, const json_t *run_json,
                              const pie_log *log);

/* RUN/run.json; new reference. PIE_ERR_DATA when it is not there or malformed. */
pie_status pie_identity_read(const char *run_folder, const pie_log *log, json_t **ret_run_json);

#endif
