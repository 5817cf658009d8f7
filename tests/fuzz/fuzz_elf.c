/* fuzz_elf.c - the ELF reader and its symbols on any bytes. */
#include "pipeline/elf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    pie_elf elf = {0};
    const char *reason = NULL;
    const pie_status status = pie_elf_read(bytes, n, &elf, &reason);
    if ((status == PIE_OK) == (reason != NULL))
        abort();
    pie_symbols *symbols = NULL;
    if (pie_symbols_new(bytes, n, &symbols) != PIE_OK)
        return 0;
    uint64_t bias = 0;
    for (uint64_t address = 0; address < 1 << 16; address += 64) {
        const pie_symbol *symbol = pie_symbols_find(symbols, address);
        if (symbol && (address < symbol->address || address >= symbol->end || !symbol->name[0]))
            abort();
        (void)pie_symbols_is_code(symbols, address);
        (void)pie_symbols_is_entry(symbols, address, bytes, n < 16 ? n : 16, &bias);
    }
    pie_symbols_free(symbols);
    return 0;
}
