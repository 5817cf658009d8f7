/* pie/counters.h - names and units of the counters that every CPU model may report.
 *
 * A model lists the ones it has in pie_uarch_trace_ops.counters by the names below; a counter of
 * its own carries its plugin's short name as prefix ("ooo.port0_uops"). One X per counter: X(name,
 * unit, meaning). */
#ifndef PIE_COUNTERS_H
#define PIE_COUNTERS_H

#define PIE_COUNTERS(X)                                                               \
    X("cycles", "cycles", "core clock cycles in user mode")                           \
    X("instructions", "instructions",                                                 \
      "retired instructions; a repeated string instruction is one")                   \
    X("uops", "uops", "retired uops, fused domain")                                   \
    X("branches", "instructions", "retired branch instructions")                      \
    X("branch_misses", "instructions", "mispredicted retired branches")               \
    X("loads", "accesses", "memory operands read")                                    \
    X("stores", "accesses", "memory operands written")                                \
    X("l1d_misses", "lines", "demand loads that missed L1D")                          \
    X("l1i_misses", "lines", "instruction fetches that missed L1I")                   \
    X("l2_misses", "lines", "demand loads that missed L2")                            \
    X("l3_misses", "lines", "demand loads that missed L3")                            \
    X("dtlb_misses", "accesses", "loads and stores that missed both TLB levels")      \
    X("page_faults", "pages", "first touches of pages")                               \
    X("syscalls", "calls", "system calls")                                            \
    X("write_calls", "calls", "system calls that write output")                       \
    X("os_cycles", "cycles", "charged for the operating system; not part of cycles")  \
    X("unknown_forms", "instructions", "executed instructions timed by a fallback")   \
    X("topdown_retiring", "slots", "issue slots that retired a uop")                  \
    X("topdown_bad_speculation", "slots", "issue slots lost to mispredictions")       \
    X("topdown_frontend_bound", "slots", "issue slots that the front end left empty") \
    X("topdown_core_bound", "slots", "issue slots lost to execution resources")       \
    X("topdown_memory_bound", "slots", "issue slots lost waiting for memory")

#endif
