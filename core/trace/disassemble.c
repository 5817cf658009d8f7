/* disassemble.c - see disassemble.h */
#include "trace/disassemble.h"

#include <Zydis/Zydis.h>
#include <stdio.h>

enum { NAME_BYTES = 256 };

/* What the hook of the formatter needs. */
typedef struct naming {
    pie_name_address *name;
    const void *context;
    ZydisFormatterFunc print_number;
} naming;

static ZyanStatus print_address(const ZydisFormatter *formatter, ZydisFormatterBuffer *buffer,
                                ZydisFormatterContext *context)
{
    const naming *self = context->user_data;
    char name[NAME_BYTES];
    ZyanU64 address;
    ZyanString *text;
    ZyanStringView view;
    ZyanStatus status = ZydisCalcAbsoluteAddress(context->instruction, context->operand,
                                                 context->runtime_address, &address);
    if (ZYAN_SUCCESS(status) && !self->name(self->context, address, name, sizeof name))
        return self->print_number(formatter, buffer, context);
    if (ZYAN_SUCCESS(status))
        status = ZydisFormatterBufferAppend(buffer, ZYDIS_TOKEN_SYMBOL);
    if (ZYAN_SUCCESS(status))
        status = ZydisFormatterBufferGetString(buffer, &text);
    if (ZYAN_SUCCESS(status))
        status = ZyanStringViewInsideBuffer(&view, name);
    return ZYAN_SUCCESS(status) ? ZyanStringAppend(text, &view) : status;
}

void pie_disassemble(uint64_t address, const void *bytes, size_t n_bytes, pie_name_address *name,
                     const void *context, char *text, size_t size)
{
    naming self = {.name = name, .context = context};
    ZydisDecoder decoder;
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    ZydisFormatter formatter;
    if (size == 0)
        return;
    union {
        ZydisFormatterFunc function;
        const void *pointer; /* as Zydis wants it */
    } hook = {print_address};
    if (!ZYAN_SUCCESS(
            ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)) ||
        !ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, n_bytes, &instruction, operands)) ||
        !ZYAN_SUCCESS(ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL)) ||
        !ZYAN_SUCCESS(ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE,
                                                ZYAN_FALSE)) ||
        !ZYAN_SUCCESS(ZydisFormatterSetProperty(
            &formatter, ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE, ZYDIS_PADDING_DISABLED)) ||
        (name && !ZYAN_SUCCESS(ZydisFormatterSetHook(
                     &formatter, ZYDIS_FORMATTER_FUNC_PRINT_ADDRESS_ABS, &hook.pointer)))) {
        snprintf(text, size, "(bad)");
        return;
    }
    self.print_number = hook.function; /* Zydis swaps the old one in */
    char line[512];                    /* wider than any instruction with a name in it */
    if (!ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&formatter, &instruction, operands,
                                                      instruction.operand_count_visible, line,
                                                      sizeof line, address, &self)))
        snprintf(line, sizeof line, "(bad)");
    snprintf(text, size, "%s", line);
}
