/* tree.c - see tree.h. */
#include "config/tree.h"

#include "base/buf.h"
#include "base/file.h"
#include "pie/abi_check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MAX_FILE_BYTES = 1 << 20,
    MAX_TOTAL_BYTES = 4 << 20, /* includes repeated */
    MAX_FILES = 256,
    MAX_INCLUDE_DEPTH = 10,
    MAX_DEPTH = 16,     /* of groups and lists */
    MAX_MEMBERS = 1000, /* of one group: libconfig compares each with all others */
    MAX_PROBLEMS = 50   /* logged of one text */
};

/* A file that text came from. */
typedef struct source {
    char *name;   /* as given, or relative to the includer's folder */
    char *folder; /* "" = current */
    dev_t device;
    ino_t inode;
} source;

/* Lines of the joined text from @first on come from @source, counting from @line. */
typedef struct segment {
    unsigned first, line;
    size_t source;
} segment;

/* What a setting that came from no file carries as libconfig's hook. */
typedef struct origin {
    struct origin *next;
    char *where, *raw;
} origin;

struct pie_tree {
    config_t config;
    source *sources;
    size_t n_sources;
    segment *segments;
    size_t n_segments;
    origin *origins;
};

/* ---- joining the files ---- */

typedef struct scanner {
    pie_tree *tree;
    const pie_log *log;
    pie_buf text;      /* joined */
    unsigned out_line; /* line that is written next in it, from 1 */
    size_t stack[MAX_INCLUDE_DEPTH];
    size_t depth; /* of the stack */
    /* state that goes on across files */
    size_t nesting;
    size_t n_members[MAX_DEPTH + 1];
    size_t n_problems;
    pie_status status;
} scanner;

static pie_status scan_file(scanner *scan, const char *path, const char *where);

static void problem(scanner *scan, size_t source_index, unsigned line, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static void problem(scanner *scan, size_t source_index, unsigned line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pie_buf message = {0};
    if (pie_buf_vprintf(&message, format, args) != PIE_OK)
        scan->status = PIE_ERR_NOMEM;
    va_end(args);
    if (scan->n_problems++ < MAX_PROBLEMS)
        pie_log_error(scan->log, "%s:%u: %s", scan->tree->sources[source_index].name, line,
                      pie_buf_text(&message));
    pie_buf_free(&message);
    if (scan->status == PIE_OK)
        scan->status = PIE_ERR_CONFIG;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return strdup("");
    return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

static pie_status add_source(pie_tree *tree, const char *name, const struct stat *info)
{
    source *more = realloc(tree->sources, (tree->n_sources + 1) * sizeof *more);
    if (!more)
        return PIE_ERR_NOMEM;
    tree->sources = more;
    source *added = &more[tree->n_sources];
    *added = (source){.name = strdup(name), .folder = folder_of(name)};
    if (info) {
        added->device = info->st_dev;
        added->inode = info->st_ino;
    }
    tree->n_sources++;
    return added->name && added->folder ? PIE_OK : PIE_ERR_NOMEM;
}

/* From here on the joined text comes from @source_index, @line. */
static void add_segment(scanner *scan, size_t source_index, unsigned line)
{
    pie_tree *tree = scan->tree;
    segment *more = realloc(tree->segments, (tree->n_segments + 1) * sizeof *more);
    if (!more) {
        scan->status = PIE_ERR_NOMEM;
        return;
    }
    tree->segments = more;
    more[tree->n_segments++] = (segment){scan->out_line, line, source_index};
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '*';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_name(char c)
{
    return is_name_start(c) || is_digit(c) || c == '-' || c == '_';
}

/* Complaint about an integer token that libconfig would silently cut; NULL = fine. */
static const char *check_integer(const char *token, size_t n)
{
    char text[64];
    if (n >= sizeof text)
        return "is out of range";
    memcpy(text, token, n);
    text[n] = '\0';
    const char *digits = text + (*text == '-' || *text == '+');
    const bool is_hex = digits[0] == '0' && (digits[1] | 0x20) == 'x';
    char *end;
    errno = 0;
    const long long value = strtoll(text, &end, is_hex ? 16 : 10);
    if (strspn(end, "L") != strlen(end))
        return NULL; /* not an integer: a float, or a syntax error that libconfig names */
    if (errno != 0)
        return "is out of range";
    if (*end == '\0' && (value > INT32_MAX || value < INT32_MIN))
        return "is read wrongly without an L at its end (more than 32 bits); write it with the L";
    return NULL;
}

/* A directive at @at, the start of a line? Its path in *ret_path, [*ret_n]; returns what follows.
 */
static const char *match_include(const char *at, const char **ret_path, size_t *ret_n)
{
    at += strspn(at, " \t");
    if (strncmp(at, "@include", 8) != 0)
        return NULL;
    at += 8;
    at += strspn(at, " \t");
    if (*at != '"')
        return NULL;
    const size_t n = strcspn(++at, "\"\n");
    if (at[n] != '"')
        return NULL;
    *ret_path = at;
    *ret_n = n;
    return at + n + 1;
}

static void include(scanner *scan, size_t source_index, unsigned line, const char *path, size_t n)
{
    pie_tree *tree = scan->tree;
    char *name = strndup(path, n);
    char *full = name ? pie_path_join(tree->sources[source_index].folder, name) : NULL;
    char *where = full ? pie_strf("%s:%u: ", tree->sources[source_index].name, line) : NULL;
    if (where) {
        const pie_status status = scan_file(scan, full, where);
        if (status != PIE_OK && scan->status != PIE_ERR_NOMEM)
            scan->status = status;
    } else
        scan->status = PIE_ERR_NOMEM;
    free(name);
    free(full);
    free(where);
}

static void open_nesting(scanner *scan, size_t source_index, unsigned line)
{
    scan->nesting++;
    if (scan->nesting == MAX_DEPTH)
        problem(scan, source_index, line, "groups and lists are nested more than %d deep",
                MAX_DEPTH - 1);
    if (scan->nesting <= MAX_DEPTH)
        scan->n_members[scan->nesting] = 0;
}

static void count_member(scanner *scan, size_t source_index, unsigned line)
{
    if (scan->nesting <= MAX_DEPTH && ++scan->n_members[scan->nesting] == MAX_MEMBERS + 1)
        problem(scan, source_index, line,
                "more than %d settings or items in one group or list; long lists "
                "belong into a JSONL file",
                MAX_MEMBERS);
}

/* Go through the bytes of one file and append them to the joined text, includes in their place. */
static void scan_text(scanner *scan, size_t source_index, const char *text, size_t n)
{
    enum { PLAIN, STRING, LINE_COMMENT, BLOCK_COMMENT } state = PLAIN;
    unsigned line = 1, opened = 1; /* @opened: where a string or comment starts */
    const char *end = text + n, *copied = text;
    bool at_line_start = true;
    add_segment(scan, source_index, 1);
    for (const char *at = text; at < end && scan->status != PIE_ERR_NOMEM;) {
        const char c = *at;
        const char *path, *after;
        size_t n_path;
        if (at_line_start && state == PLAIN && (after = match_include(at, &path, &n_path))) {
            if (pie_buf_add(&scan->text, copied, (size_t)(at - copied)) != PIE_OK)
                scan->status = PIE_ERR_NOMEM;
            include(scan, source_index, line, path, n_path);
            if (pie_buf_puts(&scan->text, "\n") != PIE_OK)
                scan->status = PIE_ERR_NOMEM;
            scan->out_line++;
            add_segment(scan, source_index, line);
            copied = at = after;
            at_line_start = false;
            continue;
        }
        if (c == '\n') {
            line++;
            scan->out_line++;
            at_line_start = true;
            if (state == LINE_COMMENT)
                state = PLAIN;
            at++;
            continue;
        }
        at_line_start = false;
        switch (state) {
        case LINE_COMMENT:
            at++;
            continue;
        case BLOCK_COMMENT:
            if (c == '*' && at[1] == '/') {
                state = PLAIN;
                at++;
            }
            at++;
            continue;
        case STRING:
            if (c == '\\') {
                if (strncmp(at, "\\x00", 4) == 0)
                    problem(scan, source_index, line, "a string holds a zero byte");
                at += at[1] != '\n' && at + 1 < end ? 2 : 1;
                continue;
            }
            if (c == '"')
                state = PLAIN;
            at++;
            continue;
        case PLAIN:
            break;
        }
        if (c == '"') {
            state = STRING;
            opened = line;
        } else if (c == '#' || (c == '/' && at[1] == '/'))
            state = LINE_COMMENT;
        else if (c == '/' && at[1] == '*') {
            state = BLOCK_COMMENT;
            opened = line;
            at++;
        } else if (c == '{' || c == '(' || c == '[')
            open_nesting(scan, source_index, line);
        else if ((c == '}' || c == ')' || c == ']') && scan->nesting > 0)
            scan->nesting--;
        else if (c == '=' || c == ':' || c == ',')
            count_member(scan, source_index, line);
        else if (is_name_start(c)) {
            while (at < end && is_name(*at))
                at++;
            continue;
        } else if (is_digit(c) || ((c == '-' || c == '+') && is_digit(at[1]))) {
            size_t n_token = 1;
            while (is_name(at[n_token]) || at[n_token] == '.')
                n_token++;
            const char *complaint = check_integer(at, n_token);
            if (complaint)
                problem(scan, source_index, line, "%.*s %s", (int)(n_token > 40 ? 40 : n_token), at,
                        complaint);
            at += n_token;
            continue;
        }
        at++;
    }
    if (state == STRING || state == BLOCK_COMMENT)
        problem(scan, source_index, opened, "this %s has no end",
                state == STRING ? "string" : "comment");
    if (pie_buf_add(&scan->text, copied, (size_t)(end - copied)) != PIE_OK)
        scan->status = PIE_ERR_NOMEM;
}

/* What no scanner need see: another encoding, zero bytes. */
static bool check_encoding(scanner *scan, size_t source_index, const char *text, size_t n)
{
    if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        problem(scan, source_index, 1,
                "starts with a byte order mark; save it as UTF-8 without one");
        return false;
    }
    size_t good = pie_utf8_span(text, n);
    const char *zero = memchr(text, 0, good);
    if (zero)
        good = (size_t)(zero - text);
    if (good == n)
        return true;
    unsigned line = 1;
    for (size_t i = 0; i < good; i++)
        line += text[i] == '\n';
    problem(scan, source_index, line,
            zero ? "holds a zero byte; is this a text file?" : "is not UTF-8");
    return false;
}

static pie_status scan_bytes(scanner *scan, const char *text, size_t n)
{
    const size_t index = scan->tree->n_sources - 1;
    if (!check_encoding(scan, index, text, n))
        return scan->status;
    scan->stack[scan->depth++] = index;
    scan_text(scan, index, text, n);
    scan->depth--;
    if (scan->status == PIE_OK && scan->text.n > MAX_TOTAL_BYTES) {
        pie_log_error(scan->log, "%s: longer than %d bytes with all it includes",
                      scan->tree->sources[0].name, MAX_TOTAL_BYTES);
        scan->status = PIE_ERR_CONFIG;
    }
    return scan->status;
}

/* @where names the directive: "run.cfg:3: ", or is "". Reads regular files only: anything else may
 * block, or never end. */
static pie_status scan_file(scanner *scan, const char *path, const char *where)
{
    pie_buf text = {0};
    pie_tree *tree = scan->tree;
    pie_status status = PIE_ERR_CONFIG;
    struct stat info;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &info) != 0) {
        pie_log_error(scan->log, "%s%s: %s", where, path, strerror(errno));
        goto cleanup;
    }
    if (!S_ISREG(info.st_mode)) {
        pie_log_error(scan->log, "%s%s: is %s, not a file", where, path,
                      S_ISDIR(info.st_mode) ? "a folder" : "a device or pipe");
        goto cleanup;
    }
    if (info.st_size > MAX_FILE_BYTES) {
        pie_log_error(scan->log, "%s%s: longer than the %d bytes that a config file may have",
                      where, path, MAX_FILE_BYTES);
        goto cleanup;
    }
    for (size_t i = 0; i < scan->depth; i++)
        if (tree->sources[scan->stack[i]].device == info.st_dev &&
            tree->sources[scan->stack[i]].inode == info.st_ino) {
            pie_log_error(scan->log, "%s%s: includes itself", where, path);
            goto cleanup;
        }
    if (scan->depth == MAX_INCLUDE_DEPTH || tree->n_sources == MAX_FILES) {
        pie_log_error(scan->log,
                      "%s%s: too many files include each other (at most %d deep, %d in all)", where,
                      path, MAX_INCLUDE_DEPTH, MAX_FILES);
        goto cleanup;
    }
    status = pie_file_read_fd(fd, path, MAX_FILE_BYTES, scan->log, &text);
    if (status == PIE_ERR_IO || status == PIE_ERR_LIMIT)
        status = PIE_ERR_CONFIG;
    if (status == PIE_OK)
        status = add_source(tree, path, &info);
    if (status == PIE_OK)
        status = scan_bytes(scan, pie_buf_text(&text), text.n);
cleanup:
    if (fd >= 0)
        close(fd);
    pie_buf_free(&text);
    return status;
}

/* ---- the tree ---- */

static const segment *segment_of(const pie_tree *tree, unsigned line)
{
    size_t low = 0, high = tree->n_segments; /* the last with first <= line */
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (tree->segments[middle].first <= line)
            low = middle;
        else
            high = middle;
    }
    return &tree->segments[low];
}

static const char *advice(const char *error)
{
    if (strstr(error, "mismatched element type"))
        return "; write all numbers of [ ] alike (1.0, 2.0), or use ( )";
    if (strstr(error, "duplicate"))
        return "; it stands in this group already";
    if (strstr(error, "syntax"))
        return "; look for a missing ';', quote or bracket at or before this line";
    return "";
}

static pie_status parse(pie_tree *tree, const char *text, const pie_log *log)
{
    if (config_read_string(&tree->config, text) == CONFIG_TRUE)
        return PIE_OK;
    const int line = config_error_line(&tree->config);
    const segment *at = segment_of(tree, (unsigned)(line < 1 ? 1 : line));
    const char *error = config_error_text(&tree->config);
    pie_log_error(log, "%s:%u: %s%s", tree->sources[at->source].name,
                  at->line + ((unsigned)(line < 1 ? 1 : line) - at->first),
                  error ? error : "syntax error", advice(error ? error : "syntax error"));
    return PIE_ERR_CONFIG;
}

pie_status pie_tree_load(const char *path, const char *text, const pie_log *log,
                         pie_tree **ret_tree)
{
    pie_status status = PIE_OK;
    pie_tree *tree = calloc(1, sizeof *tree);
    if (!tree)
        return pie_log_nomem(log);
    config_init(&tree->config);
    scanner scan = {.tree = tree, .log = log, .out_line = 1};
    if (text) {
        status = add_source(tree, path ? path : "config", NULL);
        if (status == PIE_OK && strlen(text) > MAX_FILE_BYTES) {
            pie_log_error(log, "%s: longer than the %d bytes that a config may have",
                          tree->sources[0].name, MAX_FILE_BYTES);
            status = PIE_ERR_CONFIG;
        }
        if (status == PIE_OK)
            status = scan_bytes(&scan, text, strlen(text));
    } else if (path)
        status = scan_file(&scan, path, "");
    if (status == PIE_OK && tree->n_sources)
        status = parse(tree, pie_buf_text(&scan.text), log);
    if (status == PIE_ERR_NOMEM)
        pie_log_nomem(log);
    if (status == PIE_OK) {
        *ret_tree = tree;
        tree = NULL;
    }
    pie_buf_free(&scan.text);
    pie_tree_free(tree);
    return status;
}

void pie_tree_free(pie_tree *tree)
{
    if (!tree)
        return;
    config_destroy(&tree->config);
    for (size_t i = 0; i < tree->n_sources; i++) {
        free(tree->sources[i].name);
        free(tree->sources[i].folder);
    }
    free(tree->sources);
    free(tree->segments);
    for (origin *at = tree->origins, *next; at; at = next) {
        next = at->next;
        free(at->where);
        free(at->raw);
        free(at);
    }
    free(tree);
}

config_setting_t *pie_tree_root(pie_tree *tree)
{
    return config_root_setting(&tree->config);
}

const char *pie_tree_folder(const pie_tree *tree)
{
    return tree->n_sources ? tree->sources[0].folder : "";
}

void pie_tree_place(const pie_tree *tree, const config_setting_t *setting, pie_place *ret_place)
{
    const origin *from = config_setting_get_hook(setting);
    pie_place place = {.folder = "", .raw = NULL};
    if (from) {
        snprintf(place.where, sizeof place.where, "%s", from->where);
        place.raw = from->raw;
    } else if (tree->n_segments) {
        const unsigned line = config_setting_source_line(setting);
        const segment *at = segment_of(tree, line);
        const source *file = &tree->sources[at->source];
        if (line < at->first) /* the top level itself */
            snprintf(place.where, sizeof place.where, "%s", file->name);
        else
            snprintf(place.where, sizeof place.where, "%.480s:%u", file->name,
                     at->line + (line - at->first));
        place.folder = file->folder;
    } else
        snprintf(place.where, sizeof place.where, "default");
    *ret_place = place;
}

/* ---- --set ---- */

static pie_status add_origin(pie_tree *tree, const char *where, const char *raw,
                             origin **ret_origin)
{
    origin *added = calloc(1, sizeof *added);
    if (!added)
        return PIE_ERR_NOMEM;
    added->where = strdup(where);
    added->raw = raw ? strdup(raw) : NULL;
    added->next = tree->origins;
    tree->origins = added; /* freed with the tree, complete or not */
    if (!added->where || (raw && !added->raw))
        return PIE_ERR_NOMEM;
    *ret_origin = added;
    return PIE_OK;
}

/* Copy value or members of @from into @to, which is of the same type and, if aggregate, empty. */
static pie_status copy_value(config_setting_t *to, const config_setting_t *from, origin *hook)
{
    config_setting_set_hook(to, hook);
    switch (config_setting_type(from)) {
    case CONFIG_TYPE_INT:
        config_setting_set_int(to, config_setting_get_int(from));
        return PIE_OK;
    case CONFIG_TYPE_INT64:
        config_setting_set_int64(to, config_setting_get_int64(from));
        return PIE_OK;
    case CONFIG_TYPE_FLOAT:
        config_setting_set_float(to, config_setting_get_float(from));
        return PIE_OK;
    case CONFIG_TYPE_BOOL:
        config_setting_set_bool(to, config_setting_get_bool(from));
        return PIE_OK;
    case CONFIG_TYPE_STRING:
        config_setting_set_string(to, config_setting_get_string(from));
        return PIE_OK;
    default:
        break;
    }
    for (int i = 0; i < config_setting_length(from); i++) {
        const config_setting_t *item = config_setting_get_elem(from, (unsigned)i);
        config_setting_t *added =
            config_setting_add(to, config_setting_name(item), config_setting_type(item));
        const pie_status status = added ? copy_value(added, item, hook) : PIE_ERR_NOMEM;
        if (status != PIE_OK)
            return status;
    }
    return PIE_OK;
}

/* Parse @text as the value of one setting; *@ret_value lives as long as @config. */
static bool parse_value(config_t *config, const char *text, const config_setting_t **ret_value)
{
    char *line = pie_strf("value = %s ;", text);
    bool good = line && config_read_string(config, line) == CONFIG_TRUE;
    const config_setting_t *root = config_root_setting(config);
    good = good && config_setting_length(root) == 1;
    free(line);
    if (good)
        *ret_value = config_setting_get_elem(root, 0);
    return good;
}

/* The value of --set @path=@text, in @config (initialised by the caller). Bare words are strings.
 */
static pie_status read_value(config_t *config, const char *path, const char *text,
                             const pie_log *log, const config_setting_t **ret_value)
{
    const size_t n = strlen(text), blank = strspn(text, " \t");
    if (pie_utf8_span(text, n) != n || n > MAX_FILE_BYTES) {
        pie_log_error(log, "--set %s: the value is not UTF-8, or too long", path);
        return PIE_ERR_CONFIG;
    }
    const char *complaint = check_integer(text + blank, strlen(text + blank));
    if (complaint && strspn(text + blank, "+-0123456789xXabcdefABCDEFL") == n - blank &&
        strpbrk(text, "0123456789")) {
        pie_log_error(log, "--set %s: %s %s", path, text, complaint);
        return PIE_ERR_CONFIG;
    }
    if (text[blank] && strchr("\"[({", text[blank])) {
        /* as in a file: all its traps are looked for */
        char *line = pie_strf("value = %s ;", text);
        char *name = pie_strf("--set %s", path);
        pie_tree *checked = NULL;
        pie_status status = line && name ? pie_tree_load(name, line, log, &checked) : PIE_ERR_NOMEM;
        pie_tree_free(checked);
        free(line);
        free(name);
        if (status != PIE_OK)
            return status;
        if (parse_value(config, text, ret_value))
            return PIE_OK;
        pie_log_error(log, "--set %s: one value is expected after '='", path);
        return PIE_ERR_CONFIG;
    }
    if (n && !strpbrk(text, "\"[({;#\n") && !strstr(text, "//") && !strstr(text, "/*") &&
        parse_value(config, text, ret_value))
        return PIE_OK;
    config_setting_t *root = config_root_setting(config);
    if (config_setting_length(root) > 0)
        config_setting_remove_elem(root, 0);
    config_setting_t *word = config_setting_add(root, "value", CONFIG_TYPE_STRING);
    if (!word || config_setting_set_string(word, text) != CONFIG_TRUE)
        return PIE_ERR_NOMEM;
    *ret_value = word;
    return PIE_OK;
}

/* Put @value where @name stands in @parent, replacing what is there. */
static pie_status place_member(config_setting_t *parent, const char *name,
                               const config_setting_t *value, origin *hook)
{
    if (config_setting_get_member(parent, name))
        config_setting_remove(parent, name);
    config_setting_t *added = config_setting_add(parent, name, config_setting_type(value));
    return added ? copy_value(added, value, hook) : PIE_ERR_NOMEM;
}

static bool is_member_name(const char *name)
{
    if (!is_name_start(*name))
        return false;
    for (; *name; name++)
        if (!is_name(*name))
            return false;
    return true;
}

/* One step down from @at: the member or item @name; made if absent. NULL: refused, logged. */
static config_setting_t *descend(config_setting_t *at, const char *name, const char *path,
                                 origin *hook, const pie_log *log)
{
    const bool is_number = *name && strspn(name, "0123456789") == strlen(name) && strlen(name) < 6;
    config_setting_t *next = NULL;
    if (config_setting_type(at) == CONFIG_TYPE_LIST) {
        const int n = config_setting_length(at);
        const int index = is_number ? (int)strtol(name, NULL, 10) : -1;
        if (index < 0 || index > n || index >= MAX_MEMBERS) {
            pie_log_error(log, "--set %s: '%s' stands for an item of a list: a number from 0 to %d",
                          path, name, n);
            return NULL;
        }
        if (index < n)
            return config_setting_get_elem(at, (unsigned)index);
        next = config_setting_add(at, NULL, CONFIG_TYPE_GROUP);
    } else if (config_setting_type(at) == CONFIG_TYPE_GROUP && is_member_name(name)) {
        next = config_setting_get_member(at, name);
        if (next)
            return next;
        next = config_setting_add(at, name, CONFIG_TYPE_GROUP);
    } else {
        pie_log_error(log, "--set %s: there is no '%s' to be set below a value", path, name);
        return NULL;
    }
    if (next)
        config_setting_set_hook(next, hook);
    else
        pie_log_nomem(log);
    return next;
}

pie_status pie_tree_set(pie_tree *tree, const char *assignment, const pie_log *log)
{
    pie_status status = PIE_ERR_NOMEM;
    config_t config;
    config_init(&config);
    char *path = strdup(assignment), *names = NULL, *where = NULL;
    char *equals = path ? strchr(path, '=') : NULL;
    if (path && (!equals || equals == path)) {
        pie_log_error(log, "--set %s: write path.to.key=value", assignment);
        status = PIE_ERR_CONFIG;
        goto cleanup;
    }
    if (!path)
        goto cleanup;
    *equals = '\0';
    const config_setting_t *value;
    origin *hook;
    names = strdup(path);
    where = pie_strf("--set %s", path);
    if (!names || !where)
        goto cleanup;
    status = read_value(&config, path, equals + 1, log, &value);
    if (status == PIE_OK)
        status = add_origin(tree, where, equals + 1, &hook);
    if (status != PIE_OK)
        goto cleanup;

    status = PIE_ERR_CONFIG;
    config_setting_t *at = pie_tree_root(tree);
    char *name = names;
    size_t depth = 0;
    for (char *dot; (dot = strchr(name, '.')); name = dot + 1) {
        *dot = '\0';
        if (++depth == MAX_DEPTH) {
            pie_log_error(log, "--set %s: the path is too long", path);
            goto cleanup;
        }
        at = descend(at, name, path, hook, log);
        if (!at)
            goto cleanup;
    }
    if (config_setting_type(at) == CONFIG_TYPE_GROUP && is_member_name(name))
        status = place_member(at, name, value, hook);
    else if (config_setting_type(at) == CONFIG_TYPE_LIST &&
             config_setting_type(value) == CONFIG_TYPE_GROUP) {
        config_setting_t *item = descend(at, name, path, hook, log);
        if (!item || config_setting_type(item) != CONFIG_TYPE_GROUP)
            goto cleanup;
        while (config_setting_length(item) > 0)
            config_setting_remove_elem(item, 0);
        status = copy_value(item, value, hook);
    } else
        pie_log_error(log,
                      "--set %s: '%s' is no key that can be set here; a list of values is set as a "
                      "whole",
                      path, name);
cleanup:
    if (status == PIE_ERR_NOMEM)
        pie_log_nomem(log);
    config_destroy(&config);
    free(path);
    free(names);
    free(where);
    return status;
}

pie_status pie_tree_set_default(pie_tree *tree, const char *name, const char *value)
{
    config_setting_t *root = pie_tree_root(tree);
    if (config_setting_get_member(root, name))
        return PIE_OK;
    config_t config;
    config_init(&config);
    const config_setting_t *parsed;
    origin *hook;
    pie_status status = PIE_ERR_NOMEM;
    if (parse_value(&config, value, &parsed))
        status = add_origin(tree, "default", NULL, &hook);
    if (status == PIE_OK)
        status = place_member(root, name, parsed, hook);
    config_destroy(&config);
    return status;
}
