/* synthetic.h - a made-up run over a handful of real machine code: every kind of record, every kind
 * of address slot, blocks that follow each other or jump. Not a program that could run. */
#ifndef PIE_TEST_SYNTHETIC_H
#define PIE_TEST_SYNTHETIC_H

#include "contract/laws.h"

void synthetic_stream(uint64_t seed, size_t n_blocks, stream *ret_stream);

#endif
