/* elf.c - reads copies of the headers, each only after its place was checked against the file's
 * size. */
#include "pipeline/elf.h"

#include <elf.h>
#include <string.h>

typedef struct file {
    const unsigned char *bytes;
    size_t n;
} file;

/* Copy @size bytes at @offset; false: not all within the file. */
static bool read_at(const file *f, uint64_t offset, void *to, size_t size)
{
    if (offset > f->n || size > f->n - offset)
        return false;
    memcpy(to, f->bytes + offset, size);
    return true;
}

/* Does a table of @count entries of @size bytes fit? */
static bool table_fits(const file *f, uint64_t offset, uint64_t count, size_t size)
{
    return offset <= f->n && count <= (f->n - offset) / size;
}

static uint64_t add_capped(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static const char *read_segments(const file *f, const Elf64_Ehdr *header, pie_elf *elf)
{
    bool is_loadable = false;
    if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == 0 ||
        !table_fits(f, header->e_phoff, header->e_phnum, sizeof(Elf64_Phdr)))
        return "its program headers are damaged";
    for (uint64_t i = 0; i < header->e_phnum; i++) {
        Elf64_Phdr segment = {0};
        read_at(f, header->e_phoff + i * sizeof segment, &segment, sizeof segment);
        elf->is_dynamic |= segment.p_type == PT_INTERP;
        if (segment.p_type != PT_LOAD)
            continue;
        if (!table_fits(f, segment.p_offset, segment.p_filesz, 1))
            return "a segment lies outside the file";
        is_loadable = true;
        if (segment.p_flags & PF_X)
            elf->text_bytes = add_capped(elf->text_bytes, segment.p_filesz);
    }
    return is_loadable ? NULL : "nothing of it can be loaded";
}

/* 0 when the table is absent or damaged: a program runs without it. */
static uint64_t text_of_sections(const file *f, const Elf64_Ehdr *header)
{
    uint64_t text_bytes = 0;
    if (header->e_shentsize != sizeof(Elf64_Shdr) ||
        !table_fits(f, header->e_shoff, header->e_shnum, sizeof(Elf64_Shdr)))
        return 0;
    for (uint64_t i = 0; i < header->e_shnum; i++) {
        Elf64_Shdr section = {0};
        read_at(f, header->e_shoff + i * sizeof section, &section, sizeof section);
        if ((section.sh_flags & SHF_EXECINSTR) && section.sh_type != SHT_NOBITS &&
            table_fits(f, section.sh_offset, section.sh_size, 1))
            text_bytes = add_capped(text_bytes, section.sh_size);
    }
    return text_bytes;
}

pie_status pie_elf_read(const void *bytes, size_t n, pie_elf *ret_elf, const char **ret_reason)
{
    const file f = {bytes, n};
    Elf64_Ehdr header;
    pie_elf elf = {0};
    const char *reason = NULL;
    if (!read_at(&f, 0, &header, sizeof header) || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
        reason = "it is no ELF file";
    else if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
             header.e_machine != EM_X86_64)
        reason = "it is not for x86-64";
    else if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
        reason = "it is no program";
    else
        reason = read_segments(&f, &header, &elf);
    if (reason) {
        *ret_reason = reason;
        return PIE_ERR_DATA;
    }
    const uint64_t text_bytes = text_of_sections(&f, &header);
    if (text_bytes)
        elf.text_bytes = text_bytes;
    *ret_elf = elf;
    return PIE_OK;
}
