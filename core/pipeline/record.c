/* record.c */
#include "pipeline/record.h"

#include "pie/abi_check.h"
#include "pie/verdict.h"

#include <stdlib.h>
#include <string.h>

static const char *const verdict_names[PIE_N_VERDICTS] = {
    [PIE_VERDICT_NONE] = "none",
    [PIE_VERDICT_PASSED] = "passed",
    [PIE_VERDICT_COMPILE_ERROR] = "compile_error",
    [PIE_VERDICT_COMPILE_LIMIT] = "compile_limit",
    [PIE_VERDICT_WRONG_OUTPUT] = "wrong_output",
    [PIE_VERDICT_RUNTIME_ERROR] = "runtime_error",
    [PIE_VERDICT_INSTRUCTION_LIMIT] = "instruction_limit",
    [PIE_VERDICT_MEMORY_LIMIT] = "memory_limit",
    [PIE_VERDICT_OUTPUT_LIMIT] = "output_limit",
    [PIE_VERDICT_FORBIDDEN_SYSCALL] = "forbidden_syscall",
    [PIE_VERDICT_TAMPERING] = "tampering",
    [PIE_VERDICT_NO_CODE] = "no_code",
    [PIE_VERDICT_INFRA_ERROR] = "infra_error",
};

static const char *const role_names[] = {
    [PIE_ROLE_SOURCE] = "source",
    [PIE_ROLE_TARGET] = "target",
    [PIE_ROLE_REFERENCE] = "reference",
    [PIE_ROLE_SAMPLE] = "sample",
};

const char *pie_verdict_name(int32_t verdict)
{
    return verdict >= 0 && verdict < PIE_N_VERDICTS ? verdict_names[verdict] : "unknown";
}

int32_t pie_verdict_of(const char *name)
{
    for (int32_t i = 0; i < PIE_N_VERDICTS; i++)
        if (strcmp(name, verdict_names[i]) == 0)
            return i;
    return -1;
}

const char *pie_role_name(int32_t role)
{
    return role >= PIE_ROLE_SOURCE && role <= PIE_ROLE_SAMPLE ? role_names[role] : "unknown";
}

int32_t pie_role_of(const char *name)
{
    for (int32_t i = PIE_ROLE_SOURCE; i <= PIE_ROLE_SAMPLE; i++)
        if (strcmp(name, role_names[i]) == 0)
            return i;
    return -1;
}

json_t *pie_json_text(const char *text)
{
    if (!text)
        return json_null();
    char *copy = strdup(text);
    if (!copy)
        return NULL;
    for (char *at = copy; *(at += pie_utf8_span(at, strlen(at))); at++)
        *at = '?';
    json_t *string = json_string(copy);
    free(copy);
    return string;
}
