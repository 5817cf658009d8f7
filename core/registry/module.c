/* module.c - see module.h. */
#include "registry/module.h"

#include "pie/abi_check.h"

#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pie_status refuse(char message[PIE_MODULE_MESSAGE_BYTES], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static pie_status refuse(char message[PIE_MODULE_MESSAGE_BYTES], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(message, PIE_MODULE_MESSAGE_BYTES, format, args);
    va_end(args);
    return PIE_ERR_ABI;
}

/* dlopen's own words for these are hard to read, and a pipe would block it. */
static pie_status check_file(const char *path, char message[PIE_MODULE_MESSAGE_BYTES])
{
    Elf64_Ehdr header;
    struct stat info;
    pie_status status = PIE_OK;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno == ENOENT ? refuse(message, "no such file")
                               : refuse(message, "%s", strerror(errno));
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
        status = refuse(message, "not a file but a folder, device or pipe");
    else {
        const ssize_t n = read(fd, &header, sizeof header);
        if (n < SELFMAG || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
            status = refuse(message, "not an ELF file, so no shared object");
        else if (n < (ssize_t)sizeof header)
            status = refuse(message, "the file is cut off: its ELF header is not complete");
        else if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
                 header.e_machine != EM_X86_64)
            status = refuse(
                message, "built for another machine (ELF class %d, machine %d); pie needs x86-64",
                header.e_ident[EI_CLASS], header.e_machine);
        else if (header.e_type != ET_DYN)
            status =
                refuse(message, "an ELF file, but no shared object (type %d); link it with -shared",
                       header.e_type);
    }
    close(fd);
    return status;
}

pie_status pie_module_load(const char *path, char ret_message[PIE_MODULE_MESSAGE_BYTES],
                           const pie_module **ret_module)
{
    pie_status status = check_file(path, ret_message);
    if (status != PIE_OK)
        return status;
    dlerror();
    void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!object) {
        const char *error = dlerror();
        const size_t n = strlen(path);
        if (error && strncmp(error, path, n) == 0 && strncmp(error + n, ": ", 2) == 0)
            error += n + 2;
        return refuse(ret_message, "cannot be loaded: %s", error ? error : "unknown reason");
    }
    const pie_module *module = dlsym(object, PIE_MODULE_SYMBOL);
    status = pie_abi_check_module(module, ret_message, PIE_MODULE_MESSAGE_BYTES);
    if (status == PIE_OK)
        *ret_module = module; /* never closed: what has been handed out points into it */
    return status;
}
