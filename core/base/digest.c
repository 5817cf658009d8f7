/* digest.c */
#include "base/digest.h"

#include <openssl/evp.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pie_hasher {
    EVP_MD_CTX *context;
    bool failed;
};

pie_status pie_hasher_new(pie_hasher **ret_hasher)
{
    pie_hasher *hasher = calloc(1, sizeof *hasher);
    if (!hasher)
        return PIE_ERR_NOMEM;
    hasher->context = EVP_MD_CTX_new();
    if (!hasher->context || EVP_DigestInit_ex(hasher->context, EVP_sha256(), NULL) != 1) {
        pie_hasher_free(hasher);
        return PIE_ERR_NOMEM;
    }
    *ret_hasher = hasher;
    return PIE_OK;
}

void pie_hasher_free(pie_hasher *hasher)
{
    if (!hasher)
        return;
    EVP_MD_CTX_free(hasher->context);
    free(hasher);
}

void pie_hasher_raw(pie_hasher *hasher, const void *bytes, size_t n)
{
    if (EVP_DigestUpdate(hasher->context, bytes, n) != 1)
        hasher->failed = true;
}

void pie_hasher_u64(pie_hasher *hasher, uint64_t value)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
    pie_hasher_raw(hasher, bytes, sizeof bytes);
}

void pie_hasher_field(pie_hasher *hasher, const void *bytes, size_t n)
{
    pie_hasher_u64(hasher, n);
    pie_hasher_raw(hasher, bytes, n);
}

void pie_hasher_text(pie_hasher *hasher, const char *text)
{
    if (text)
        pie_hasher_field(hasher, text, strlen(text));
    else
        pie_hasher_u64(hasher, UINT64_MAX);
}

pie_status pie_hasher_finish(pie_hasher *hasher, pie_digest *ret_digest)
{
    pie_digest digest;
    if (EVP_DigestFinal_ex(hasher->context, digest.bytes, NULL) != 1)
        hasher->failed = true;
    const bool failed = hasher->failed;
    hasher->failed = EVP_DigestInit_ex(hasher->context, EVP_sha256(), NULL) != 1;
    if (failed)
        return PIE_ERR_NOMEM;
    *ret_digest = digest;
    return PIE_OK;
}

pie_status pie_digest_bytes(const void *bytes, size_t n, pie_digest *ret_digest)
{
    pie_digest digest;
    if (EVP_Digest(n ? bytes : "", n, digest.bytes, NULL, EVP_sha256(), NULL) != 1)
        return PIE_ERR_NOMEM;
    *ret_digest = digest;
    return PIE_OK;
}

pie_status pie_digest_fd(int fd, pie_digest *ret_digest)
{
    pie_hasher *hasher = NULL;
    pie_status status = pie_hasher_new(&hasher);
    char chunk[65536];
    for (off_t at = 0; status == PIE_OK;) {
        const ssize_t n = pread(fd, chunk, sizeof chunk, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            status = PIE_ERR_IO;
        if (n <= 0)
            break;
        pie_hasher_raw(hasher, chunk, (size_t)n);
        at += n;
    }
    if (status == PIE_OK)
        status = pie_hasher_finish(hasher, ret_digest);
    pie_hasher_free(hasher);
    return status;
}

void pie_digest_hex(const pie_digest *digest, char ret_hex[PIE_DIGEST_HEX])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < PIE_DIGEST_BYTES; i++) {
        ret_hex[2 * i] = digits[digest->bytes[i] >> 4];
        ret_hex[2 * i + 1] = digits[digest->bytes[i] & 15];
    }
    ret_hex[PIE_DIGEST_HEX - 1] = '\0';
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

pie_status pie_digest_parse(const char *hex, pie_digest *ret_digest)
{
    pie_digest digest;
    if (strlen(hex) != PIE_DIGEST_HEX - 1)
        return PIE_ERR_DATA;
    for (size_t i = 0; i < PIE_DIGEST_BYTES; i++) {
        const int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return PIE_ERR_DATA;
        digest.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *ret_digest = digest;
    return PIE_OK;
}
