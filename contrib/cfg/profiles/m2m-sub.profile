! m2m-sub.profile - cards with the subscription application (contrib/doc/card-interface.md), PoR by SMS-SUBMIT.
! SPDX-License-Identifier: AGPL-3.0-or-later
!
! The manual of this format is README.md in this folder.  Orders between operators need such a profile: STAGE, ARM, CONFIRM and
! the others come from the order, not from here.
card-profile m2m-sub
 description subscription application of M2M cards, for orders between operators
 application subscription
 ! octets 13 to 15 of the AID; an issuer may have chosen another one
 tar bfff3b
 ! checksum, ciphered, counter must be higher; PoR always, with checksum, ciphered, by SMS-SUBMIT
 spi 16 39
 ! where an order does not say: the first pair's
 kvn 1
 concat udh8
 ! a set of 512 octets takes five
 segments-max 5
 ! some cards answer a counter they have seen before with 06 instead of 02
 por 06 means cntr-low
