/* SHA-512, FIPS 180-4 §6.4. */
#include <stddef.h>
#include <stdint.h>

/* Digest of `length` bytes at `data`, 64 bytes. */
void sha512(const unsigned char *data, size_t length, unsigned char digest[64]);
