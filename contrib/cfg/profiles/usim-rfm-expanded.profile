! usim-rfm-expanded.profile - as usim-rfm, with script and answer in expanded format (TS 102 226, 5.2).
! SPDX-License-Identifier: AGPL-3.0-or-later
!
! The manual of this format is README.md in this folder.
card-profile usim-rfm-expanded
 description IMSI change on ADF.USIM by RFM, expanded format, PoR by SMS-SUBMIT
 ! many cards bind the format to the TAR: then the expanded one is another than b00011, and the card's maker knows it
 tar b00011
 ! checksum, ciphered, counter must be higher; PoR always, with checksum, ciphered, by SMS-SUBMIT
 spi 16 39
 kvn 1
 ! each command is answered with a status word of its own; two octets more per command each way
 format expanded
 concat udh8
 segments-max 4
 refresh card
 deleted-lac fffe
 ! sysmoISIM answers a counter it has seen before with 06 instead of 02
 por 06 means cntr-low
 script
  update 6f7e loci-deleted
  update 6f73 psloci-deleted
  update 6fe3 epsloci-deleted
  update 6f08 keys-deleted
  update 6f09 keys-deleted
  update 6f7b hex ffffff ffffff ffffff ffffff
  update 6f78 acc
  update 6f07 imsi
  read 6f07 9
