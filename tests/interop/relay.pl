#!/usr/bin/perl
# relay.pl - Perl's Net::SMPP as the SMSC of otagwd, and as the ESME that hands everything on to otasim, where the cards are.
# SPDX-License-Identifier: AGPL-3.0-or-later
#
# usage: relay.pl UPSTREAM-PORT-FILE PORT-FILE PASSWORD-FILE CUT
#   CUT  after so many submits all connections of the gateway are cut, once (0: never)
# What happens stands on standard output, one word and what belongs to it per line; tests/interop/run counts the lines.
use strict;
use warnings;
use IO::Handle;
use IO::Select;
use Net::SMPP;

use constant {
	V34 => 0x34,
	RESP => 0x80000000,
	RINVPASWD => 0x0e,
	RX_T_APPN => 0x64,
};

my ($upstream_port_file, $port_file, $password_file, $cut) = @ARGV;
my ($upstream_port, $password) = (first_line($upstream_port_file), first_line($password_file));
my %bind_name = (1 => 'receiver', 2 => 'transmitter', 9 => 'transceiver');
my @fields = qw(source_addr_ton source_addr_npi source_addr dest_addr_ton dest_addr_npi destination_addr esm_class protocol_id
	data_coding registered_delivery short_message);

my %gateway;		# fileno => { s, receives }
my (%submitted, %delivered);	# sequence number there => what waits for its answer here
my %id_of;		# otasim's id of a message => ours
my %early;		# otasim's id => its receipt, which came before the answer
my ($submits, $was_cut, $last_id) = (0, 0, 0x1a2b0);

sub event { print join(' ', @_), "\n" }
sub first_line {
	my ($path) = @_;
	open(my $in, '<', $path) or die "$path: $!\n";
	my $line = <$in>;
	close($in);
	chomp $line;
	return $line;
}

sub fail { event('error', @_); exit 1 }

STDOUT->autoflush(1);
$SIG{TERM} = sub { exit 0 };
$SIG{PIPE} = 'IGNORE';

my $upstream = Net::SMPP->new_connect('127.0.0.1', port => $upstream_port, smpp_version => V34, async => 1,
	system_id => 'relay', password => 'relay') or fail("otasim: $!");
my $resp_seq = $upstream->bind_transceiver(async => 1);
my $first = $upstream->read_pdu or fail('otasim does not answer the bind');
fail("otasim refuses the bind: $first->{status}") if $first->{status} || $first->{seq} != $resp_seq;

my $listener = Net::SMPP->new_listen('127.0.0.1', port => 0, smpp_version => V34) or fail("listen: $!");
open(my $out, '>', "$port_file.new") or fail("$port_file: $!");
print $out $listener->sockport, "\n";
close($out);
rename("$port_file.new", $port_file) or fail("$port_file: $!");

sub copy {
	my ($pdu) = @_;
	my @args = map { ($_ => $pdu->{$_}) } @fields;
	for my $tlv (qw(message_payload sar_msg_ref_num sar_total_segments sar_segment_seqnum)) {
		push @args, $tlv => $pdu->{$tlv} if defined $pdu->{$tlv};
	}
	return @args;
}

sub drop {
	my ($g) = @_;
	delete $gateway{fileno($g->{s})};
	close($g->{s});
}

# ---- from otasim

sub on_submit_resp {
	my ($pdu) = @_;
	my $w = delete $submitted{$pdu->{seq}} or return event('strange-response');
	my $id = ++$last_id;
	$id_of{$pdu->{message_id}} = $id if length($pdu->{message_id} // '');
	event('submit', $pdu->{status});
	# the id in hexadecimal here, in decimal in the receipt
	$w->{s}->submit_sm_resp(seq => $w->{seq}, status => $pdu->{status}, message_id => sprintf('0000%x', $id))
		if $w->{s}->opened; # not cut meanwhile
	my $receipt = delete $early{$pdu->{message_id} // ''};
	on_deliver($receipt) if $receipt;
}

sub on_deliver {
	my ($pdu) = @_;
	my ($g) = grep { $_->{receives} } values %gateway;
	my $what = $pdu->{esm_class} & 0x3c ? 'receipt' : 'mo';
	if ($what eq 'receipt') {
		my ($id) = $pdu->{short_message} =~ /id:(\S+)/;
		my $ours = $id_of{$id // ''};
		if (!$ours) {
			$early{$id // ''} = $pdu;
			return;
		}
		$pdu->{short_message} =~ s/id:\S+/id:$ours/;
	}
	return $upstream->deliver_sm_resp(seq => $pdu->{seq}, status => RX_T_APPN, message_id => '') if !$g;
	my $seq = $g->{s}->deliver_sm(copy($pdu), async => 1);
	$delivered{fileno($g->{s}) . "/$seq"} =
		{ seq => $pdu->{seq}, what => $what, payload => defined $pdu->{message_payload} ? 'payload' : '' };
}

sub from_otasim {
	my $pdu = $upstream->read_pdu or fail('otasim is gone');
	my $cmd = $pdu->{cmd};
	if ($cmd == (4 | RESP)) { on_submit_resp($pdu) }
	elsif ($cmd == 5) { on_deliver($pdu) }
	elsif ($cmd == 0x15) { $upstream->enquire_link_resp(seq => $pdu->{seq}) }
}

# ---- from the gateway

sub on_bind {
	my ($g, $pdu) = @_;
	my $name = $bind_name{$pdu->{cmd}};
	my $good = $pdu->{password} eq $password;
	my $answer = "bind_${name}_resp";
	event('bind', $name, $pdu->{system_id}, $good ? 'good' : 'bad');
	$g->{s}->$answer(seq => $pdu->{seq}, status => $good ? 0 : RINVPASWD, system_id => 'perl');
	$g->{receives} = $good && $name ne 'transmitter';
	$g->{s}->enquire_link(async => 1) if $good; # once: who is asked again and again has no reason to ask
}

sub on_submit {
	my ($g, $pdu) = @_;
	my $seq = $upstream->submit_sm(copy($pdu), async => 1);
	$submitted{$seq} = { s => $g->{s}, seq => $pdu->{seq} };
	return if ++$submits != $cut || $was_cut++;
	event('cut');
	drop($_) for values %gateway;
}

sub on_deliver_resp {
	my ($g, $pdu) = @_;
	my $w = delete $delivered{fileno($g->{s}) . "/$pdu->{seq}"} or return event('strange-response');
	event($w->{what}, $pdu->{status}, $w->{payload});
	$upstream->deliver_sm_resp(seq => $w->{seq}, status => $pdu->{status}, message_id => '');
}

sub from_gateway {
	my ($g) = @_;
	# Net::SMPP complains of every end of a connection
	local $SIG{__WARN__} = sub { event('warning', map { s/\s+/ /gr } @_) if "@_" !~ /premature eof|Unknown tag/ };
	my $pdu = $g->{s}->read_pdu or return drop($g);
	my $cmd = $pdu->{cmd};
	if ($bind_name{$cmd}) { on_bind($g, $pdu) }
	elsif ($cmd == 4) { on_submit($g, $pdu) }
	elsif ($cmd == (5 | RESP)) { on_deliver_resp($g, $pdu) }
	elsif ($cmd == 0x15) { event('enquire'); $g->{s}->enquire_link_resp(seq => $pdu->{seq}) }
	elsif ($cmd == (0x15 | RESP)) { event('enquire-answered') }
	elsif ($cmd == 6) { event('unbind'); $g->{s}->unbind_resp(seq => $pdu->{seq}); drop($g) }
	elsif ($cmd == RESP) { event('nack', $pdu->{status}) }
	else { event('strange', $cmd) }
}

for (;;) {
	my $sel = IO::Select->new($listener, $upstream, map { $_->{s} } values %gateway);
	for my $s ($sel->can_read) {
		if ($s == $listener) {
			my $new = $listener->accept or next;
			$gateway{fileno($new)} = { s => $new, receives => 0 };
		} elsif ($s == $upstream) {
			from_otasim();
		} elsif ($s->opened && $gateway{fileno($s)}) {
			from_gateway($gateway{fileno($s)});
		}
	}
}
