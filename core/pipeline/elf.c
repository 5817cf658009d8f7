/* elf.c - reads copies of the headers, each only after its place was checked against the file's
 * size. */
#include "pipeline/elf.h"

#include <elf.h>
#include <stdlib.h>
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

/* ---- symbols ---- */

enum { PAGE_BYTES = 4096, NAME_MAX_BYTES = 4096 };

typedef struct symbol_row {
    pie_symbol symbol;
    uint64_t limit; /* end of the section it is in */
} symbol_row;

struct pie_symbols {
    file f;
    Elf64_Ehdr header;
    symbol_row *rows; /* by address, one per address, none reaches into the next */
    size_t n;
};

/* The @i-th segment; false: there is none. */
static bool segment_at(const pie_symbols *self, uint64_t i, Elf64_Phdr *ret_segment)
{
    const Elf64_Ehdr *header = &self->header;
    return i < header->e_phnum && header->e_phentsize == sizeof *ret_segment &&
           table_fits(&self->f, header->e_phoff, header->e_phnum, sizeof *ret_segment) &&
           read_at(&self->f, header->e_phoff + i * sizeof *ret_segment, ret_segment,
                   sizeof *ret_segment);
}

/* End of section @index; 0 = there is none. */
static uint64_t section_end(const pie_symbols *self, uint16_t index)
{
    Elf64_Shdr section;
    if (index >= self->header.e_shnum ||
        !read_at(&self->f, self->header.e_shoff + index * sizeof section, &section, sizeof section))
        return 0;
    return add_capped(section.sh_addr, section.sh_size);
}

/* First section of @type; false: there is none. */
static bool find_section(const pie_symbols *self, uint32_t type, Elf64_Shdr *ret_section)
{
    const Elf64_Ehdr *header = &self->header;
    Elf64_Shdr section = {0};
    if (header->e_shentsize != sizeof section ||
        !table_fits(&self->f, header->e_shoff, header->e_shnum, sizeof section))
        return false;
    for (uint64_t i = 0; i < header->e_shnum; i++) {
        read_at(&self->f, header->e_shoff + i * sizeof section, &section, sizeof section);
        if (section.sh_type == type) {
            *ret_section = section;
            return true;
        }
    }
    return false;
}

/* The name at @offset of the string table; NULL: none that a terminal could be shown. */
static const char *name_at(const file *f, const Elf64_Shdr *strings, uint64_t offset)
{
    if (offset >= strings->sh_size)
        return NULL;
    const char *name = (const char *)f->bytes + strings->sh_offset + offset;
    for (uint64_t i = 0; i < strings->sh_size - offset && i < NAME_MAX_BYTES; i++) {
        if (name[i] == '\0')
            return i ? name : NULL;
        if (name[i] <= ' ' || name[i] > '~')
            return NULL;
    }
    return NULL; /* without an end */
}

/* Functions, objects, and the labels of assembly, which have no type. */
static bool is_wanted(const Elf64_Sym *symbol)
{
    const int type = ELF64_ST_TYPE(symbol->st_info);
    return symbol->st_shndx != SHN_UNDEF && symbol->st_shndx < SHN_LORESERVE &&
           (type == STT_FUNC || type == STT_GNU_IFUNC || type == STT_OBJECT || type == STT_NOTYPE);
}

static size_t underscores(const char *name)
{
    return strspn(name, "_");
}

static bool is_sized(const pie_symbol *symbol)
{
    return symbol->end > symbol->address;
}

static int by_address(const void *a, const void *b)
{
    const pie_symbol *x = &((const symbol_row *)a)->symbol, *y = &((const symbol_row *)b)->symbol;
    const size_t n_x = strlen(x->name), n_y = strlen(y->name);
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    if (is_sized(x) != is_sized(y)) /* a label beside a function */
        return is_sized(x) ? -1 : 1;
    if (underscores(x->name) != underscores(y->name))
        return underscores(x->name) < underscores(y->name) ? -1 : 1;
    if (n_x != n_y)
        return n_x < n_y ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Sorted rows: one per address, labels inside of functions dropped, ends set. */
static void tidy(pie_symbols *self)
{
    uint64_t covered = 0; /* end of the sized symbols before */
    size_t n = 0;
    for (size_t i = 0; i < self->n; i++) {
        const pie_symbol *symbol = &self->rows[i].symbol;
        if ((n > 0 && symbol->address == self->rows[n - 1].symbol.address) ||
            (!is_sized(symbol) && symbol->address < covered))
            continue;
        if (symbol->end > covered)
            covered = symbol->end;
        self->rows[n++] = self->rows[i];
    }
    for (size_t i = 0; i < n; i++) {
        symbol_row *row = &self->rows[i];
        if (!is_sized(&row->symbol))
            row->symbol.end = row->limit;
        if (i + 1 < n && row->symbol.end > row[1].symbol.address)
            row->symbol.end = row[1].symbol.address;
    }
    self->n = n;
}

static pie_status read_symbols(pie_symbols *self)
{
    const file *f = &self->f;
    Elf64_Shdr table, strings;
    if (!find_section(self, SHT_SYMTAB, &table) && !find_section(self, SHT_DYNSYM, &table))
        return PIE_OK;
    const uint64_t n = table.sh_size / sizeof(Elf64_Sym);
    if (table.sh_entsize != sizeof(Elf64_Sym) ||
        !table_fits(f, table.sh_offset, table.sh_size, 1) ||
        table.sh_link >= self->header.e_shnum ||
        !read_at(f, self->header.e_shoff + table.sh_link * sizeof strings, &strings,
                 sizeof strings) ||
        strings.sh_type != SHT_STRTAB || !table_fits(f, strings.sh_offset, strings.sh_size, 1))
        return PIE_OK;
    self->rows = calloc(n + 1, sizeof *self->rows);
    if (!self->rows)
        return PIE_ERR_NOMEM;
    for (uint64_t i = 0; i < n; i++) {
        Elf64_Sym symbol = {0};
        read_at(f, table.sh_offset + i * sizeof symbol, &symbol, sizeof symbol);
        const char *name = is_wanted(&symbol) ? name_at(f, &strings, symbol.st_name) : NULL;
        if (name)
            self->rows[self->n++] =
                (symbol_row){{symbol.st_value, add_capped(symbol.st_value, symbol.st_size), name},
                             section_end(self, symbol.st_shndx)};
    }
    qsort(self->rows, self->n, sizeof *self->rows, by_address);
    tidy(self);
    return PIE_OK;
}

pie_status pie_symbols_new(const void *bytes, size_t n, pie_symbols **ret_symbols)
{
    pie_symbols *self = calloc(1, sizeof *self);
    if (!self)
        return PIE_ERR_NOMEM;
    self->f = (file){bytes, n};
    if (!read_at(&self->f, 0, &self->header, sizeof self->header))
        self->header = (Elf64_Ehdr){0};
    const pie_status status = read_symbols(self);
    if (status == PIE_OK)
        *ret_symbols = self;
    else
        pie_symbols_free(self);
    return status;
}

void pie_symbols_free(pie_symbols *symbols)
{
    if (!symbols)
        return;
    free(symbols->rows);
    free(symbols);
}

const pie_symbol *pie_symbols_find(const pie_symbols *symbols, uint64_t address)
{
    size_t low = 0, high = symbols->n; /* the first row that begins beyond lies in low..high */
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (symbols->rows[middle].symbol.address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    const pie_symbol *symbol = low > 0 ? &symbols->rows[low - 1].symbol : NULL;
    return symbol && address < symbol->end ? symbol : NULL;
}

bool pie_symbols_is_code(const pie_symbols *symbols, uint64_t address)
{
    Elf64_Phdr segment;
    for (uint64_t i = 0; segment_at(symbols, i, &segment); i++)
        if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) && address >= segment.p_vaddr &&
            address - segment.p_vaddr < segment.p_memsz)
            return true;
    return false;
}

bool pie_symbols_is_entry(const pie_symbols *symbols, uint64_t address, const void *code, size_t n,
                          uint64_t *ret_bias)
{
    const uint64_t entry = symbols->header.e_entry;
    Elf64_Phdr segment;
    if (address % PAGE_BYTES != entry % PAGE_BYTES ||
        (symbols->header.e_type != ET_DYN && address != entry))
        return false;
    for (uint64_t i = 0; segment_at(symbols, i, &segment); i++) {
        const uint64_t at = entry - segment.p_vaddr;
        if (segment.p_type != PT_LOAD || entry < segment.p_vaddr || at >= segment.p_filesz ||
            n > segment.p_filesz - at || !table_fits(&symbols->f, segment.p_offset, at + n, 1))
            continue;
        if (memcmp(symbols->f.bytes + segment.p_offset + at, code, n) != 0)
            return false;
        *ret_bias = address - entry;
        return true;
    }
    return false;
}
