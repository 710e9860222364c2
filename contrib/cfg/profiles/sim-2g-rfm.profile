! sim-2g-rfm.profile - changes the IMSI in DF_GSM of a SIM or of a UICC's 2G side (TS 51.011 files, class A0).
! SPDX-License-Identifier: AGPL-3.0-or-later
!
! The manual of this format is README.md in this folder.  On a UICC whose DF_GSM is not linked to ADF.USIM this changes the
! 2G identity alone.
card-profile sim-2g-rfm
 description IMSI change in DF_GSM by RFM, class A0, PoR by SMS-SUBMIT
 tar b00010
 spi 16 39
 kvn 1
 cla a0
 concat udh8
 segments-max 4
 refresh card
 deleted-lac fffe
 por 06 means cntr-low
 script
  select 3f00
  select 7f20
  update 6f7e loci-deleted
  update 6f53 psloci-deleted
  ! EF_Kc and EF_KcGPRS: no key, sequence number 7
  update 6f20 hex ffffffffffffffff 07
  update 6f52 hex ffffffffffffffff 07
  update 6f7b hex ffffff ffffff ffffff ffffff
  update 6f78 acc
  update 6f07 imsi
  read 6f07 9
