/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */

/*
 * SipHash-1-3: a keyed hash, so that nobody who does not know the key can choose a path that collides with a rule's. Its
 * 128 bits are the two halves of its last state: nobody sees a hash, so nothing need hide the state from them. It reads
 * words of 8 bytes; each component of a path, with the slash behind it, begins a new word, and is filled up with zeroes,
 * which no name contains.
 */
#ifndef CORE_HASH_H
#define CORE_HASH_H

#include "settings.h"

#define ROTATE(x, n) (((x) << (n)) | ((x) >> (64 - (n))))

/* One load, where a cast alone would let the compiler assemble the word of bytes. Kernels that have LSM programs allow it. */
static __always_inline u64 hash_load(const void *bytes)
{
	return *(const u64 *)bytes;
}

static __always_inline void hash_round(u64 v[4])
{
	v[0] += v[1];
	v[1] = ROTATE(v[1], 13);
	v[1] ^= v[0];
	v[0] = ROTATE(v[0], 32);
	v[2] += v[3];
	v[3] = ROTATE(v[3], 16);
	v[3] ^= v[2];
	v[0] += v[3];
	v[3] = ROTATE(v[3], 21);
	v[3] ^= v[0];
	v[2] += v[1];
	v[1] = ROTATE(v[1], 17);
	v[1] ^= v[2];
	v[2] = ROTATE(v[2], 32);
}

static __always_inline void hash_begin(u64 v[4])
{
	v[0] = hash_key[0] ^ 0x736f6d6570736575ULL;
	v[1] = hash_key[1] ^ 0x646f72616e646f6dULL ^ 0xee;
	v[2] = hash_key[0] ^ 0x6c7967656e657261ULL;
	v[3] = hash_key[1] ^ 0x7465646279746573ULL;
}

static __always_inline void hash_word(u64 v[4], u64 word)
{
	v[3] ^= word;
	hash_round(v);
	v[0] ^= word;
}

/* The hash of what was read so far; v is used up. words is how many there were. */
static __always_inline void hash_end(u64 v[4], u64 words, u64 out[2])
{
	hash_word(v, words << 59);
	v[2] ^= 0xee;
	hash_round(v);
	hash_round(v);
	hash_round(v);
	out[0] = v[0] ^ v[1];
	out[1] = v[2] ^ v[3];
}

#endif
