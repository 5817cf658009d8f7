/* qemu_plugin.h - the part of qemu's TCG plugin interface that the tracer uses, declared by us
 * since no header is shipped with qemu 7.2. Revisions 1 to 5 share these
 * (docs/internals/tracer.md). */
#ifndef PIE_TRACER_QEMU_PLUGIN_H
#define PIE_TRACER_QEMU_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t qemu_plugin_id_t;
typedef uint32_t qemu_plugin_meminfo_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

/* Only the head, which all revisions share. */
struct qemu_info_t {
    const char *target_name;
    struct {
        int min, cur;
    } version;
};

enum { QEMU_PLUGIN_CB_NO_REGS = 0 };
enum { QEMU_PLUGIN_MEM_R = 1, QEMU_PLUGIN_MEM_W = 2, QEMU_PLUGIN_MEM_RW = 3 };

typedef void (*qemu_plugin_exec_cb)(unsigned vcpu, void *udata);
typedef void (*qemu_plugin_mem_cb)(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address,
                                   void *udata);

#define QEMU_API __attribute__((weak)) extern
QEMU_API void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                                    void (*cb)(qemu_plugin_id_t,
                                                               struct qemu_plugin_tb *));
QEMU_API void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
                                                   qemu_plugin_exec_cb cb, int flags, void *udata);
QEMU_API void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
                                                     qemu_plugin_exec_cb cb, int flags,
                                                     void *udata);
QEMU_API void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn, qemu_plugin_mem_cb cb,
                                               int flags, int rw, void *udata);
QEMU_API void qemu_plugin_register_vcpu_syscall_cb(
    qemu_plugin_id_t id,
    void (*cb)(qemu_plugin_id_t, unsigned vcpu, int64_t number, uint64_t a1, uint64_t a2,
               uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8));
QEMU_API void qemu_plugin_register_vcpu_syscall_ret_cb(qemu_plugin_id_t id,
                                                       void (*cb)(qemu_plugin_id_t, unsigned vcpu,
                                                                  int64_t number, int64_t result));
QEMU_API size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
QEMU_API uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
QEMU_API struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb,
                                                          size_t index);
/* qemu_plugin_insn_data has two forms and is looked up by name, see data_of(). */
QEMU_API size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
QEMU_API uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
QEMU_API const char *qemu_plugin_insn_symbol(const struct qemu_plugin_insn *insn);
QEMU_API bool qemu_plugin_mem_is_store(qemu_plugin_meminfo_t info);
QEMU_API uint64_t qemu_plugin_start_code(void);
QEMU_API uint64_t qemu_plugin_end_code(void);
#undef QEMU_API

#endif
