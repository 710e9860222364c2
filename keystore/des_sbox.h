/* des_sbox.h - the eight substitutions of DES as circuits of and, or, exclusive-or.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Made by a program from the tables of FIPS 46-3: each output bit is a tree of choices by three of the six inputs over functions
 * of the other three, which are shared.  test_des_slice compares all of them with the tables and with OpenSSL.
 * V is a word or a vector of words, ONES has all its bits set; outputs are XORed to where they go.
 */
#ifndef KS_DES_SBOX_H
#define KS_DES_SBOX_H

#define ANDN(a, b) ((a) & ~(b))

static inline __attribute__((always_inline)) void sbox_1(V x0, V x1, V x2, V x3, V x4, V x5, V *o0, V *o1, V *o2, V *o3)
{
	const V g0 = x1 | x4, g1 = ONES ^ g0, g2 = x4 ^ g1, g3 = x1 ^ g2, g4 = g0 ^ g3, g5 = x2 & g4;
	const V g6 = x4 ^ g5, g7 = x2 ^ g6, g8 = x1 ^ g1, g9 = g7 ^ g8, g10 = x2 ^ g8, g11 = ANDN(g0, g10);
	const V g12 = ONES ^ g11, g13 = ANDN(x2, x4), g14 = g3 ^ g13, g15 = g7 ^ g13, g16 = x1 ^ g15, g17 = g0 ^ g15;
	const V g18 = g9 ^ g17, g19 = g5 ^ g17, g20 = g12 ^ g17, g21 = ONES ^ g16, g22 = g11 ^ g21, g23 = x4 ^ g14;
	const V g24 = x1 ^ g13, g25 = g3 ^ g20, g26 = x2 | g18, g27 = g0 & g26, m0 = ((g5 & x3) ^ g21),
		m1 = ((g7 & x3) ^ g16);
	const V m2 = (((m0 ^ m1) & x5) ^ m0), m3 = ((g2 & x3) ^ g24), m4 = ((g27 & x3) ^ g22),
		m5 = (((m3 ^ m4) & x5) ^ m3), m6 = (((m2 ^ m5) & x0) ^ m2), m7 = ((g0 & x3) ^ g18);
	const V m8 = ((g23 & x3) ^ g15), m9 = (((m7 ^ m8) & x5) ^ m7), m10 = ((g17 & x3) ^ g12),
		m11 = ((ONES & x3) ^ g9), m12 = (((m10 ^ m11) & x5) ^ m10), m13 = (((m9 ^ m12) & x0) ^ m9);
	const V m14 = ((g21 & x3) ^ g12), m15 = ((g3 & x3) ^ g25), m16 = (((m14 ^ m15) & x5) ^ m14),
		m17 = ((g8 & x3) ^ g19), m18 = ((g14 & x3) ^ g20), m19 = (((m17 ^ m18) & x5) ^ m17);
	const V m20 = (((m16 ^ m19) & x0) ^ m16), m21 = ((g3 & x3) ^ g19), m22 = ((g2 & x3) ^ g11),
		m23 = (((m21 ^ m22) & x5) ^ m21), m24 = ((g6 & x3) ^ g16), m25 = ((g4 & x3) ^ g10);
	const V m26 = (((m24 ^ m25) & x5) ^ m24), m27 = (((m23 ^ m26) & x0) ^ m23);

	*o0 ^= m6;
	*o1 ^= m13;
	*o2 ^= m20;
	*o3 ^= m27;
}

static inline __attribute__((always_inline)) void sbox_2(V x0, V x1, V x2, V x3, V x4, V x5, V *o0, V *o1, V *o2, V *o3)
{
	const V g0 = ANDN(x0, x5), g1 = x2 ^ g0, g2 = ONES ^ g0, g3 = x0 ^ g2, g4 = x5 ^ g3, g5 = ANDN(g4, g1);
	const V g6 = ANDN(g3, g5), g7 = x2 ^ g6, g8 = ANDN(g2, g6), g9 = ANDN(x5, g7), g10 = g2 ^ g9, g11 = g3 & g10;
	const V g12 = x2 | g10, g13 = ANDN(g12, g6), g14 = ANDN(g1, g10), g15 = x0 ^ g9, g16 = g1 | g13, g17 = g5 | g11;
	const V g18 = g1 ^ g4, g19 = x2 ^ g17, g20 = x0 ^ g16, g21 = g0 | g5, g22 = g0 ^ g17, g23 = x0 | g19;
	const V g24 = x5 ^ g1, g25 = ONES ^ g24, g26 = x0 & g10, g27 = g24 ^ g26, m0 = ((g2 & x3) ^ g27),
		m1 = (((g18 ^ m0) & x4) ^ g18);
	const V m2 = ((ONES & x3) ^ g17), m3 = ((ONES & x3) ^ g14), m4 = (((m2 ^ m3) & x4) ^ m2),
		m5 = (((m1 ^ m4) & x1) ^ m1), m6 = ((ONES & x3) ^ g20), m7 = ((g16 & x3) ^ g7);
	const V m8 = (((m6 ^ m7) & x4) ^ m6), m9 = ((x5 & x3) ^ g6), m10 = ((g15 & x3) ^ g8),
		m11 = (((m9 ^ m10) & x4) ^ m9), m12 = (((m8 ^ m11) & x1) ^ m8), m13 = ((g23 & x3) ^ g12);
	const V m14 = ((g11 & x3) ^ g1), m15 = (((m13 ^ m14) & x4) ^ m13), m16 = ((g13 & x3) ^ g9),
		m17 = ((g22 & x3) ^ g5), m18 = (((m16 ^ m17) & x4) ^ m16), m19 = (((m15 ^ m18) & x1) ^ m15);
	const V m20 = ((ONES & x3) ^ g19), m21 = ((g4 & x3) ^ g10), m22 = (((m20 ^ m21) & x4) ^ m20),
		m23 = ((g3 & x3) ^ g21), m24 = (((m23 ^ g25) & x4) ^ m23), m25 = (((m22 ^ m24) & x1) ^ m22);

	*o0 ^= m5;
	*o1 ^= m12;
	*o2 ^= m19;
	*o3 ^= m25;
}

static inline __attribute__((always_inline)) void sbox_3(V x0, V x1, V x2, V x3, V x4, V x5, V *o0, V *o1, V *o2, V *o3)
{
	const V g0 = ANDN(x5, x1), g1 = x1 ^ ONES, g2 = x2 ^ g1, g3 = x1 ^ x5, g4 = x2 ^ g3, g5 = g2 | g3;
	const V g6 = x5 ^ g1, g7 = x2 ^ g6, g8 = g1 | g7, g9 = g2 & g8, g10 = g4 ^ g9, g11 = g5 ^ g9;
	const V g12 = ONES ^ g11, g13 = g0 ^ g12, g14 = x2 ^ g13, g15 = ANDN(x1, g9), g16 = ONES ^ g9, g17 = g8 ^ g16;
	const V g18 = g1 ^ g15, g19 = g10 & g18, g20 = g2 ^ g19, g21 = g17 ^ g18, g22 = g0 | g21, g23 = g20 ^ g21;
	const V g24 = g16 ^ g23, g25 = x1 ^ g6, g26 = g7 | g25, m0 = ((g20 & x3) ^ g2), m1 = ((g5 & x3) ^ g15),
		m2 = (((m0 ^ m1) & x4) ^ m0);
	const V m3 = ((ONES & x3) ^ g19), m4 = ((ONES & x3) ^ g22), m5 = (((m3 ^ m4) & x4) ^ m3),
		m6 = (((m2 ^ m5) & x0) ^ m2), m7 = ((g23 & x3) ^ g24), m8 = ((g8 & x3) ^ g3);
	const V m9 = (((m7 ^ m8) & x4) ^ m7), m10 = ((g0 & x3) ^ g7), m11 = ((g26 & x3) ^ g6),
		m12 = (((m10 ^ m11) & x4) ^ m10), m13 = (((m9 ^ m12) & x0) ^ m9), m14 = ((g14 & x3) ^ g13);
	const V m15 = ((g18 & x3) ^ g24), m16 = (((m14 ^ m15) & x4) ^ m14), m17 = ((g21 & x3) ^ g11),
		m18 = ((g1 & x3) ^ g12), m19 = (((m17 ^ m18) & x4) ^ m17), m20 = (((m16 ^ m19) & x0) ^ m16);
	const V m21 = ((ONES & x3) ^ g3), m22 = (((m21 ^ g4) & x4) ^ m21), m23 = ((g10 & x3) ^ g17),
		m24 = ((g10 & x3) ^ g16), m25 = (((m23 ^ m24) & x4) ^ m23), m26 = (((m22 ^ m25) & x0) ^ m22);

	*o0 ^= m6;
	*o1 ^= m13;
	*o2 ^= m20;
	*o3 ^= m26;
}

static inline __attribute__((always_inline)) void sbox_4(V x0, V x1, V x2, V x3, V x4, V x5, V *o0, V *o1, V *o2, V *o3)
{
	const V g0 = x1 ^ ONES, g1 = x1 | x4, g2 = g0 ^ g1, g3 = x1 & x3, g4 = x4 ^ g3, g5 = g0 ^ g4;
	const V g6 = x1 ^ g5, g7 = x3 & g4, g8 = g5 ^ g7, g9 = x4 ^ g8, g10 = ONES ^ g7, g11 = ANDN(g10, g5);
	const V g12 = x3 | g11, g13 = x4 ^ g12, g14 = g5 & g13, g15 = ONES ^ g13, g16 = g10 ^ g14, g17 = g6 ^ g16;
	const V g18 = ONES ^ g17, g19 = ONES ^ g14, m0 = ((g1 & x2) ^ g17), m1 = ((g12 & x2) ^ g6),
		m2 = (((m0 ^ m1) & x0) ^ m0), m3 = ((g5 & x2) ^ g9);
	const V m4 = ((g0 & x2) ^ g11), m5 = (((m3 ^ m4) & x0) ^ m3), m6 = (((m2 ^ m5) & x5) ^ m2),
		m7 = ((g1 & x2) ^ g18), m8 = ((g12 & x2) ^ g4), m9 = (((m7 ^ m8) & x0) ^ m7);
	const V m10 = (((m5 ^ m9) & x5) ^ m5), m11 = ((g10 & x2) ^ g8), m12 = ((g2 & x2) ^ g16),
		m13 = (((m11 ^ m12) & x0) ^ m11), m14 = ((g0 & x2) ^ g14), m15 = ((g4 & x2) ^ g15);
	const V m16 = (((m14 ^ m15) & x0) ^ m14), m17 = (((m13 ^ m16) & x5) ^ m13), m18 = ((g0 & x2) ^ g19),
		m19 = ((g4 & x2) ^ g13), m20 = (((m18 ^ m19) & x0) ^ m18), m21 = (((m20 ^ m13) & x5) ^ m20);

	*o0 ^= m6;
	*o1 ^= m10;
	*o2 ^= m17;
	*o3 ^= m21;
}

static inline __attribute__((always_inline)) void sbox_5(V x0, V x1, V x2, V x3, V x4, V x5, V *o0, V *o1, V *o2, V *o3)
{
	const V g0 = x2 | x5, g1 = ANDN(g0, x1), g2 = x1 ^ x2, g3 = x5 ^ g2, g4 = ONES ^ g3, g5 = g0 ^ g4;
	const V g6 = g1 ^ g4, g7 = x1 ^ g5, g8 = ANDN(g7, g1), g9 = x1 | g0, g10 = g7 & g9, g11 = g4 ^ g10;
	const V g12 = g8 ^ g11, g13 = x5 ^ g12, g14 = g2 ^ g12, g15 = g7 ^ g12, g16 = x5 ^ g11, g17 = g9 & g16;
	const V g18 = ANDN(g5, g14), g19 = g11 ^ g18, g20 = g6 ^ g18, g21 = g1 ^ g20, g22 = g16 ^ g21,
		g23 = ANDN(g21, g15);
	const V g24 = g3 ^ g23, g25 = g2 ^ g18, g26 = ONES ^ g18, m0 = ((g13 & x0) ^ g14), m1 = ((g25 & x0) ^ g5),
		m2 = (((m0 ^ m1) & x4) ^ m0);
	const V m3 = ((g9 & x0) ^ g21), m4 = ((g11 & x0) ^ g24), m5 = (((m3 ^ m4) & x4) ^ m3),
		m6 = (((m2 ^ m5) & x3) ^ m2), m7 = ((g11 & x0) ^ g12), m8 = ((g16 & x0) ^ g15);
	const V m9 = (((m7 ^ m8) & x4) ^ m7), m10 = ((ONES & x0) ^ g4), m11 = ((x2 & x0) ^ g3),
		m12 = (((m10 ^ m11) & x4) ^ m10), m13 = (((m9 ^ m12) & x3) ^ m9), m14 = ((g8 & x0) ^ g5);
	const V m15 = ((g6 & x0) ^ g1), m16 = (((m14 ^ m15) & x4) ^ m14), m17 = ((g26 & x0) ^ g10),
		m18 = ((g7 & x0) ^ g17), m19 = (((m17 ^ m18) & x4) ^ m17), m20 = (((m16 ^ m19) & x3) ^ m16);
	const V m21 = ((g9 & x0) ^ g23), m22 = ((g0 & x0) ^ g19), m23 = (((m21 ^ m22) & x4) ^ m21),
		m24 = ((g25 & x0) ^ g2), m25 = ((g20 & x0) ^ g22), m26 = (((m24 ^ m25) & x4) ^ m24);
	const V m27 = (((m23 ^ m26) & x3) ^ m23);

	*o0 ^= m6;
	*o1 ^= m13;
	*o2 ^= m20;
	*o3 ^= m27;
}

static inline __attribute__((always_inline)) void sbox_6(V x0, V x1, V x2, V x3, V x4, V x5, V *o0, V *o1, V *o2, V *o3)
{
	const V g0 = ANDN(x3, x4), g1 = ANDN(x4, x3), g2 = x0 ^ g1, g3 = g0 ^ g2, g4 = g0 | g2, g5 = ONES ^ g3;
	const V g6 = g1 | g5, g7 = x4 ^ g6, g8 = ANDN(g7, g0), g9 = g3 | g7, g10 = g1 ^ g7, g11 = ONES ^ g10;
	const V g12 = g5 | g7, g13 = x0 | g6, g14 = x0 | g0, g15 = g2 ^ g12, g16 = x4 ^ g9, g17 = ANDN(g16, g1);
	const V g18 = g0 ^ g13, g19 = g0 ^ g9, g20 = g10 & g19, g21 = ONES ^ g19, g22 = g1 | g19, g23 = g5 ^ g22;
	const V g24 = g1 ^ g23, m0 = ((ONES & x1) ^ g16), m1 = ((g18 & x1) ^ g20), m2 = (((m0 ^ m1) & x5) ^ m0),
		m3 = ((g11 & x1) ^ g4), m4 = (((g5 ^ m3) & x5) ^ g5);
	const V m5 = (((m2 ^ m4) & x2) ^ m2), m6 = ((g22 & x1) ^ g12), m7 = ((g15 & x1) ^ g3),
		m8 = (((m6 ^ m7) & x5) ^ m6), m9 = ((g10 & x1) ^ g0), m10 = ((g13 & x1) ^ g6);
	const V m11 = (((m9 ^ m10) & x5) ^ m9), m12 = (((m8 ^ m11) & x2) ^ m8), m13 = ((g24 & x1) ^ g21),
		m14 = ((g2 & x1) ^ g6), m15 = (((m13 ^ m14) & x5) ^ m13), m16 = ((g17 & x1) ^ g3);
	const V m17 = ((g9 & x1) ^ g7), m18 = (((m16 ^ m17) & x5) ^ m16), m19 = (((m15 ^ m18) & x2) ^ m15),
		m20 = ((x3 & x1) ^ g23), m21 = ((g14 & x1) ^ g1), m22 = (((m20 ^ m21) & x5) ^ m20);
	const V m23 = ((ONES & x1) ^ g8), m24 = ((g13 & x1) ^ g16), m25 = (((m23 ^ m24) & x5) ^ m23),
		m26 = (((m22 ^ m25) & x2) ^ m22);

	*o0 ^= m5;
	*o1 ^= m12;
	*o2 ^= m19;
	*o3 ^= m26;
}

static inline __attribute__((always_inline)) void sbox_7(V x0, V x1, V x2, V x3, V x4, V x5, V *o0, V *o1, V *o2, V *o3)
{
	const V g0 = x1 & x2, g1 = x1 ^ ONES, g2 = x2 ^ g1, g3 = x4 ^ g1, g4 = g0 ^ g3, g5 = x1 ^ g4;
	const V g6 = g2 ^ g5, g7 = ANDN(g6, g3), g8 = g0 ^ g6, g9 = g1 ^ g8, g10 = g1 | g6, g11 = x1 ^ g6;
	const V g12 = x2 ^ g4, g13 = x1 ^ g9, g14 = x2 | x4, g15 = x1 ^ g10, g16 = x1 | g3, g17 = ANDN(g16, g2);
	const V g18 = g2 ^ g16, g19 = g6 ^ g14, g20 = ANDN(g19, g0), g21 = g2 ^ g19, g22 = x4 | g8, g23 = g9 ^ g22;
	const V m0 = ((g19 & x3) ^ g11), m1 = ((x1 & x3) ^ g9), m2 = (((m0 ^ m1) & x5) ^ m0), m3 = ((g10 & x3) ^ g17),
		m4 = ((g16 & x3) ^ g7), m5 = (((m3 ^ m4) & x5) ^ m3);
	const V m6 = (((m2 ^ m5) & x0) ^ m2), m7 = ((g1 & x3) ^ g4), m8 = ((g23 & x3) ^ g5),
		m9 = (((m7 ^ m8) & x5) ^ m7), m10 = ((g0 & x3) ^ g13), m11 = (((m0 ^ m10) & x5) ^ m0);
	const V m12 = (((m9 ^ m11) & x0) ^ m9), m13 = ((g16 & x3) ^ g8), m14 = ((g21 & x3) ^ x1),
		m15 = (((m13 ^ m14) & x5) ^ m13), m16 = ((g3 & x3) ^ g20), m17 = ((g15 & x3) ^ g2);
	const V m18 = (((m16 ^ m17) & x5) ^ m16), m19 = (((m15 ^ m18) & x0) ^ m15), m20 = ((g14 & x3) ^ g6),
		m21 = ((g22 & x3) ^ g12), m22 = (((m20 ^ m21) & x5) ^ m20), m23 = ((g14 & x3) ^ g12);
	const V m24 = ((g10 & x3) ^ g18), m25 = (((m23 ^ m24) & x5) ^ m23), m26 = (((m22 ^ m25) & x0) ^ m22);

	*o0 ^= m6;
	*o1 ^= m12;
	*o2 ^= m19;
	*o3 ^= m26;
}

static inline __attribute__((always_inline)) void sbox_8(V x0, V x1, V x2, V x3, V x4, V x5, V *o0, V *o1, V *o2, V *o3)
{
	const V g0 = x3 ^ ONES, g1 = x2 ^ g0, g2 = x1 ^ g1, g3 = ONES ^ g2, g4 = ANDN(x1, x2), g5 = g3 ^ g4;
	const V g6 = x1 | g0, g7 = g4 ^ g6, g8 = g3 ^ g6, g9 = x3 ^ g8, g10 = g1 ^ g6, g11 = x2 ^ g8;
	const V g12 = g10 & g11, g13 = ONES ^ g12, g14 = ONES ^ g7, g15 = x3 | g1, g16 = g4 ^ g15, g17 = g9 | g16;
	const V g18 = g1 | g16, g19 = ANDN(x1, g16), g20 = x1 ^ x2, g21 = x3 | g3, m0 = ((g11 & x4) ^ g18),
		m1 = ((g6 & x4) ^ g3);
	const V m2 = (((m0 ^ m1) & x5) ^ m0), m3 = ((g9 & x4) ^ g10), m4 = ((g5 & x4) ^ g14),
		m5 = (((m3 ^ m4) & x5) ^ m3), m6 = (((m2 ^ m5) & x0) ^ m2), m7 = ((g8 & x4) ^ g7);
	const V m8 = ((g8 & x4) ^ g14), m9 = (((m7 ^ m8) & x5) ^ m7), m10 = ((ONES & x4) ^ g17), m11 = ((x2 & x4) ^ g3),
		m12 = (((m10 ^ m11) & x5) ^ m10), m13 = (((m9 ^ m12) & x0) ^ m9);
	const V m14 = ((g1 & x4) ^ g20), m15 = ((g9 & x4) ^ g12), m16 = (((m14 ^ m15) & x5) ^ m14),
		m17 = ((g4 & x4) ^ g2), m18 = ((g0 & x4) ^ g13), m19 = (((m17 ^ m18) & x5) ^ m17);
	const V m20 = (((m16 ^ m19) & x0) ^ m16), m21 = ((g6 & x4) ^ g2), m22 = ((g21 & x4) ^ g16),
		m23 = (((m21 ^ m22) & x5) ^ m21), m24 = ((g5 & x4) ^ g7), m25 = ((g15 & x4) ^ g19);
	const V m26 = (((m24 ^ m25) & x5) ^ m24), m27 = (((m23 ^ m26) & x0) ^ m23);

	*o0 ^= m6;
	*o1 ^= m13;
	*o2 ^= m20;
	*o3 ^= m27;
}

#endif
