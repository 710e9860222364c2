! bench.profile - what tests/perf sends: one short message with 90 octets of secured data, PoR by SMS-SUBMIT.
! SPDX-License-Identifier: AGPL-3.0-or-later
!
! An IMSI change that fits into one short message, so that a command is a short message and figures compare with those
! of bench_encode, which has as many octets.
card-profile bench
 tar b00011
 spi 16 39
 kvn 1
 concat udh8
 segments-max 1
 refresh power-cycle
 deleted-lac fffe
 script
  update 6f7e loci-deleted
  update 6f73 psloci-deleted
  update 6fd9 hex ffffff
  update 6f07 imsi
  read 6f07 9
