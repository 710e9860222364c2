! usim-rfm-opc.profile - as usim-rfm, and in an order between operators the card gets the new operator's OPc, too.
! SPDX-License-Identifier: AGPL-3.0-or-later
!
! The manual of this format is README.md in this folder.
card-profile usim-rfm-opc
 description IMSI change on ADF.USIM by RFM, and OPc in EF AF20, PoR by SMS-SUBMIT
 ! ADF.USIM on sysmoISIM-SJA2/SJA5, onomondo-uicc and many others; some cards have b00001
 tar b00011
 ! checksum, ciphered, counter must be higher; PoR always, with checksum, ciphered, by SMS-SUBMIT
 spi 16 39
 kvn 1
 concat udh8
 segments-max 4
 refresh card
 ! sysmoISIM-SJA2: octet 0 the algorithm, 1 to 16 K, 17 to 32 OPc; RFM must be allowed to write it, which the card maker lays down
 opc af20 at 17
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
