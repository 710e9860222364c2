! usim-rfm-report.profile - as usim-rfm, but the PoR comes back in the SMS-DELIVER-REPORT.
! SPDX-License-Identifier: AGPL-3.0-or-later
!
! The manual of this format is README.md in this folder.
card-profile usim-rfm-report
 description IMSI change on ADF.USIM by RFM, PoR in DELIVER-REPORT
 ! ADF.USIM on sysmoISIM-SJA2/SJA5, onomondo-uicc and many others; some cards have b00001
 tar b00011
 ! checksum, ciphered, counter must be higher; PoR always, with checksum, ciphered, in the SMS-DELIVER-REPORT: needs an
 ! SMSC that hands its data back
 spi 16 19
 kvn 1
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
