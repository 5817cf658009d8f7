/* test_answer.c - the answer parser on every shape of reply that we know of. */
#include "dataset/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PROGRAM "#include <cstdio>\nint main() {\n  puts(\"{\");\n  return 0;\n}\n"
#define ORIGINAL "#include <cstdio>\nint main() {\n  puts(\"slow\");\n}\n"

static const struct {
    const char *name, *reply, *how, *code;
} programs[] = {
    {"one fence", "```cpp\n" PROGRAM "```\n", "fence", PROGRAM},
    {"no language", "```\n" PROGRAM "```", "fence", PROGRAM},
    {"c++ and prose around",
     "Sure! Here it is:\n\n```c++\n" PROGRAM "```\n\nIt's faster, isn't it?\n", "fence", PROGRAM},
    {"tildes", "~~~cpp\n" PROGRAM "~~~\n", "fence", PROGRAM},
    {"backticks do not close tildes", "~~~\n// ```\n" PROGRAM "~~~\n", "fence", "// ```\n" PROGRAM},
    {"longer fence", "````cpp\n// ```\n" PROGRAM "````\n", "fence", "// ```\n" PROGRAM},
    {"blanks behind the closing fence", "```\n" PROGRAM "```  \t\n", "fence", PROGRAM},
    {"CRLF", "Here:\r\n```cpp\r\n#include <x>\r\nint main() {}\r\n```\r\n", "fence",
     "#include <x>\nint main() {}\n"},
    {"indented fence in a list",
     "1. Do this:\n   ```cpp\n   int main() {\n     return 0;\n   }\n   ```\n", "fence",
     "int main() {\n  return 0;\n}\n"},
    {"quoted", "> ```cpp\n> int main() {\n>   return 0;\n> }\n> ```\n", "fence",
     "int main() {\n  return 0;\n}\n"},
    {"fence behind prose", "The program: ```cpp\n" PROGRAM "```\n", "fence", PROGRAM},
    {"code behind the fence", "```cpp #include <cstdio>\nint main() {}\n```", "fence",
     "#include <cstdio>\nint main() {}\n"},
    {"include right behind the fence", "```#include <cstdio>\nint main() {}\n```", "fence",
     "#include <cstdio>\nint main() {}\n"},
    {"attributes behind the language", "```cpp title=\"a.cpp\"\n" PROGRAM "```", "fence", PROGRAM},
    {"dotted attribute", "```{.cpp}\n" PROGRAM "```", "fence", PROGRAM},
    {"whole block on one line", "Try ```int main() { return 0; }``` instead.", "fence",
     "int main() { return 0; }\n"},
    {"the same with a language", "Try ```cpp int main() { return 0; }``` instead.", "fence",
     "int main() { return 0; }\n"},
    {"closing fence behind code", "```cpp\nint main() {\n}``` and so on", "fence",
     "int main() {\n}\n"},
    {"three backticks in a string", "```cpp\nint main() {\n  puts(\"```\");\n}\n```\n", "fence",
     "int main() {\n  puts(\"```\");\n}\n"},
    {"the last of several programs wins", "```\n" ORIGINAL "```\nbecomes\n```\n" PROGRAM "```\n",
     "fences", PROGRAM},
    {"a piece after the program",
     "```\n" PROGRAM "```\nI added:\n```\nios::sync_with_stdio(0);\n```\n", "fence", PROGRAM},
    {"pieces before the program", "```cpp\nV.resize(n);\n```\nand\n```cpp\n" PROGRAM "```\n",
     "fence", PROGRAM},
    {"a formula before it", "Use `f`:\n```\ndp[i] = dp[i+1] || x\n```\n```cpp\n" PROGRAM "```\n",
     "fence", PROGRAM},
    {"Python before it", "```python\ndef main():\n  pass\nmain()\n```\n```cpp\n" PROGRAM "```\n",
     "fence", PROGRAM},
    {"Python after it", "```cpp\n" PROGRAM "```\n```\ndef main():\n  pass\n\nmain()\n```\n",
     "fence", PROGRAM},
    {"Java after it", "```cpp\n" PROGRAM "```\n```\npublic static void main(String[] a) {}\n```\n",
     "fence", PROGRAM},
    {"shell and output after it",
     "```cpp\n" PROGRAM "```\n```bash\ng++ main.cpp\n./main (fast)\n```\n", "fence", PROGRAM},
    {"closing fence forgotten before the next", "```\nint f();\n```cpp\n" PROGRAM "```\n", "fence",
     PROGRAM},
    {"closing fence missing", "```cpp\n" PROGRAM, "open_fence", PROGRAM},
    {"closing fence missing, prose follows", "```cpp\n" PROGRAM "\nThat's it (it's fast).\n",
     "open_fence", PROGRAM},
    {"a complete program beats a later cut one", "```\n" PROGRAM "```\n```\nint main() {\n  if (",
     "fences", PROGRAM},
    {"cut in main", "```cpp\nint main() {\n  for (;;) {", "truncated",
     "int main() {\n  for (;;) {\n"},
    {"cut in the head of main", "```cpp\n#include <x>\nint main(", "truncated",
     "#include <x>\nint main(\n"},
    {"nothing but the program", PROGRAM, "whole", PROGRAM},
    {"nothing but the program, no end of line", "int main(){}", "whole", "int main(){}\n"},
    {"unfenced with prose",
     "Sure, here's the code:\n\n" PROGRAM "\nIt's 2x (twice) faster. {really}\n", "unfenced",
     PROGRAM},
    {"unfenced with a comment above",
     "That's easy.\n// faster\n#include <x>\nint main() {\n}\n\nEnjoy!", "unfenced",
     "// faster\n#include <x>\nint main() {\n}\n"},
    {"unfenced without includes",
     "I think this is it:\nint n;\nint main() {\n  return n;\n}\nDone.", "unfenced",
     "int n;\nint main() {\n  return n;\n}\n"},
    {"unfenced, a function behind main",
     "int f();\nint main() { f(); }\n\nint f() {\n  return 1;\n}\nSo.", "unfenced",
     "int f();\nint main() { f(); }\n\nint f() {\n  return 1;\n}\n"},
    {"unfenced and cut", "Here:\n#include <x>\nint main() {\n  int a", "truncated",
     "#include <x>\nint main() {\n  int a\n"},
    {"the opening fence stood in the prompt", PROGRAM "```\n\nThis version is faster.\n",
     "unfenced", PROGRAM},
    {"the same with a piece behind it", PROGRAM "```\nI changed:\n```\nint a;\n```\n", "unfenced",
     PROGRAM},
    {"inline code before an unfenced program", "Use `scanf`, not ```cin```.\n" PROGRAM, "unfenced",
     PROGRAM},
    {"a title in Markdown", "# Faster\n" PROGRAM, "unfenced", PROGRAM},
    {"thoughts first",
     "<think>\n```\n" ORIGINAL "```\nno, better:\n</think>\n```\n" PROGRAM "```\n", "fence",
     PROGRAM},
    {"raw string", "int main() {\n  puts(R\"(\n}}}\n\")\");\n}\nBye.", "unfenced",
     "int main() {\n  puts(R\"(\n}}}\n\")\");\n}\n"},
    {"prose and pieces behind an unfenced program",
     PROGRAM "\nI added these lines to the main() function to make it faster:\nios::sync();\n",
     "unfenced", PROGRAM},
    {"a function with a type of its own behind main",
     "int main() {}\n\nMatrix f(Matrix &a)\n{\n}\nBye.", "unfenced",
     "int main() {}\n\nMatrix f(Matrix &a)\n{\n}\n"},
    {"code above the first directive", "Here:\ntypedef long ll;\n#include <x>\nint main() {}\n",
     "unfenced", "typedef long ll;\n#include <x>\nint main() {}\n"},
    {"closing fence missing, a piece follows",
     "```\n" PROGRAM "\nI changed the main() function:\n```\nint a;\n```\n", "fence", PROGRAM},
    {"old style with parameters", "```\nmain(c, v)\nint c;\nchar **v;\n{\n}\n```", "fence",
     "main(c, v)\nint c;\nchar **v;\n{\n}\n"},
    {"a macro and a class behind main",
     "```\nint main() {}\n#define A(x) \\\n  x\nclass B {\npublic:\n};\n```", "fence",
     "int main() {}\n#define A(x) \\\n  x\nclass B {\npublic:\n};\n"},
    {"digit separators and characters",
     "int main() {\n  long a = 1'000'000; char c = '{';\n}\nBye.", "unfenced",
     "int main() {\n  long a = 1'000'000; char c = '{';\n}\n"},
    {"braces in comments", "int main() { /* { */ // {\n}\nBye {.", "unfenced",
     "int main() { /* { */ // {\n}\n"},
    {"parameters", "```\nint main(int argc, char *argv[])\n{\n}\n```", "fence",
     "int main(int argc, char *argv[])\n{\n}\n"},
    {"old style", "```\nmain(){f();}\n```", "fence", "main(){f();}\n"},
    {"trailing return type", "```\nauto main() -> int {}\n```", "fence", "auto main() -> int {}\n"},
    {"function try block", "```\nint main() try {} catch (...) {}\n```", "fence",
     "int main() try {} catch (...) {}\n"},
    {"main over two lines", "```\nint\nmain\n(void)\n{\n}\n```", "fence",
     "int\nmain\n(void)\n{\n}\n"},
    {"unknown language word", "```optimized\n" PROGRAM "```", "fence", PROGRAM},
    {"text", "```text\n" PROGRAM "```", "fence", PROGRAM},
    {"NUL and bytes that are no UTF-8", "\xff\xfe\n```\nint main() {} // \xff\n```", "fence",
     "int main() {} // \xff\n"},
};

static void finds_the_program(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        pie_answer answer;
        print_message("  %s\n", programs[i].name);
        assert_int_equal(pie_answer_parse(programs[i].reply, strlen(programs[i].reply), &answer),
                         PIE_OK);
        assert_string_equal(pie_buf_text(&answer.code), programs[i].code);
        assert_string_equal(answer.how, programs[i].how);
        assert_null(answer.reason);
        pie_answer_free(&answer);
    }
}

static const struct {
    const char *name, *reply, *reason;
} failures[] = {
    {"empty", "", "the reply is empty"},
    {"blank", " \r\n\t\n", "the reply is empty"},
    {"prose", "I would sort the array first, then walk over it once.",
     "the reply is prose without code"},
    {"prose that explains main()",
     "In the main() function (fast), main() const is\n```\nread once\n```\n",
     "the reply is prose without code"},
    {"prose that mentions main", "The function main() is slow; it calls f(x).",
     "the reply is prose without code"},
    {"empty fence", "```cpp\n```\n", "the reply is prose without code"},
    {"function only", "```cpp\nint f(int n) {\n  return n * (n + 1) / 2;\n}\n```",
     "the code has no main function"},
    {"function only, unfenced", "Use\nint f(int n) {\n  return n;\n}\n",
     "the code has no main function"},
    {"a call of main is none", "```cpp\nint f() {\n  return main();\n}\n```",
     "the code has no main function"},
    {"main in a comment or string",
     "```cpp\n// int main() {\nconst char *s = \"int main() {\";\n```",
     "the code has no main function"},
    {"main as part of a name",
     "```cpp\nint domain() { return remain(1); }\nint main2() {}\nint a;\n```",
     "the code has no main function"},
    {"cut before main", "```cpp\n#include <vector>\nint f() {\n  retu",
     "the code ends before its main function: the reply was cut off"},
    {"Python", "```python\ndef main():\n  print(1)\nmain()\n```",
     "the code is in another language than C or C++"},
    {"Python without a name", "```\ndef main():\n  print(1)\n```",
     "the code is in another language than C or C++"},
    {"Rust, unfenced", "use std::io;\nfn main() {\n  println!();\n}\n",
     "the reply is prose without code"},
    {"diff", "```diff\n-int main() {\n+int main() {\n```",
     "the reply holds a diff, not a whole program"},
    {"diff without a name", "```\n--- a.cpp\n+++ b.cpp\n@@ -1 +1 @@\n-a;\n+b;\n```",
     "the reply holds a diff, not a whole program"},
    {"refusal", "I'm sorry, but I can't help with that.", "the model refused"},
    {"refusal with another apostrophe", "I\xe2\x80\x99m sorry.", "the model refused"},
    {"endless thoughts", "<think>\n```\nint main() {}\n```\nbut",
     "the reply ends before the model has finished thinking"},
};

static void says_why_there_is_none(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        pie_answer answer;
        print_message("  %s\n", failures[i].name);
        assert_int_equal(pie_answer_parse(failures[i].reply, strlen(failures[i].reply), &answer),
                         PIE_OK);
        assert_string_equal(answer.reason ? answer.reason : "", failures[i].reason);
        assert_string_equal(answer.how, "none");
        assert_int_equal(answer.code.n, 0);
        pie_answer_free(&answer);
    }
}

static void takes_any_prefix(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        for (size_t n = 0; n <= strlen(programs[i].reply); n++) {
            char *copy = malloc(n ? n : 1); /* of its own, so that reading beyond it is seen */
            assert_non_null(copy);
            memcpy(copy, programs[i].reply, n);
            pie_answer answer;
            assert_int_equal(pie_answer_parse(copy, n, &answer), PIE_OK);
            assert_true((answer.code.n > 0) == (answer.reason == NULL));
            pie_answer_free(&answer);
            free(copy);
        }
}

/* ---- time ------------------------------------------------------------------------------------ */

static double seconds_for(const char *piece, size_t n_pieces)
{
    pie_buf text = {0};
    for (size_t i = 0; i < n_pieces; i++)
        assert_int_equal(pie_buf_puts(&text, piece), PIE_OK);
    struct timespec start, end;
    pie_answer answer;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    assert_int_equal(pie_answer_parse(text.data, text.n, &answer), PIE_OK);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    pie_answer_free(&answer);
    pie_buf_free(&text);
    return (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec);
}

/* Ten times the input may take ten times as long, not a hundred times. */
static void takes_linear_time(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "```\n",
        "```",
        "`",
        "~~~\n",
        "> ",
        "```cpp\nint main() {\n",
        "R\"(",
        "R\"a(",
        "/*",
        "*",
        "//",
        "\"",
        "'",
        "int main() {\n",
        "main(",
        "main()",
        "int;\n",
        "#include\n",
        "// x\n",
        "\n",
        "<think>",
        "</thin",
        "a",
        " ",
        "```a```",
        "```c\n> ",
        "{",
        "R\"(\n",
        "int x;R\"b(\nmain(){}\n",
        "0'",
    };
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        const size_t n = 2000000 / strlen(pieces[i]);
        const double small = seconds_for(pieces[i], n / 10), large = seconds_for(pieces[i], n);
        if (large > 0.2 && large > 40 * small)
            fail_msg("%s: %g s for a tenth, %g s for the whole", pieces[i], small, large);
        assert_true(large < 10.0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_program),
        cmocka_unit_test(says_why_there_is_none),
        cmocka_unit_test(takes_any_prefix),
        cmocka_unit_test(takes_linear_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
