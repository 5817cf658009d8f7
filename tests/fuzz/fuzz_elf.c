/* fuzz_elf.c - the ELF reader on any bytes. */
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
    return 0;
}
