/* relay.js - npm's `smpp` as the SMSC of otagwd, and as the ESME that hands everything on to otasim, where the cards are.
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * usage: node relay.js MODULE UPSTREAM-PORT-FILE PORT-FILE PASSWORD-FILE CUT [KEY CERT]
 *   MODULE  folder of the package
 *   CUT     after so many submits all connections of the gateway are cut, once (0: never)
 * What happens stands on standard output, one word and what belongs to it per line; tests/interop/run counts the lines.
 */
'use strict';

const fs = require('fs');
const [module_dir, upstream_port_file, port_file, password_file, cut, key, cert] = process.argv.slice(2);
const smpp = require(module_dir);

const upstream_port = Number(fs.readFileSync(upstream_port_file, 'latin1'));
const password = fs.readFileSync(password_file, 'latin1').trim();

const gateways = []; // { session, receives }
const ids = new Map(); // otasim's id of a message: ours
const early = new Map(); // otasim's id: its receipt, which came before the answer
let submits = 0, was_cut = false, last_id = 0x1a2b0;

function log(...words) {
	fs.writeSync(1, words.join(' ') + '\n');
}

function die(what) {
	log('error', what);
	process.exit(1);
}

/* A message as it came: this stack takes the UDH apart. */
function octets(message) {
	if (!message)
		return Buffer.alloc(0);
	if (Buffer.isBuffer(message))
		return message;
	const text = Buffer.isBuffer(message.message) ? message.message : Buffer.from(message.message || '', 'latin1');
	const udh = Buffer.concat(message.udh || []);
	return udh.length ? Buffer.concat([Buffer.from([udh.length]), udh, text]) : text;
}

const fields = ['source_addr_ton', 'source_addr_npi', 'source_addr', 'dest_addr_ton', 'dest_addr_npi', 'destination_addr',
	'esm_class', 'protocol_id', 'data_coding', 'registered_delivery'];

const tlvs = ['user_message_reference', 'sar_msg_ref_num', 'sar_total_segments', 'sar_segment_seqnum'];

function copy(pdu) {
	const out = {};
	for (const f of fields)
		out[f] = pdu[f];
	out.short_message = octets(pdu.short_message);
	if (pdu.message_payload !== undefined)
		out.message_payload = octets(pdu.message_payload);
	for (const t of tlvs)
		if (pdu[t] !== undefined)
			out[t] = pdu[t];
	return out;
}

/* ---- towards otasim */

const upstream = smpp.connect({ host: '127.0.0.1', port: upstream_port }, () => {
	upstream.bind_transceiver({ system_id: 'relay', password: 'relay' }, (pdu) => {
		if (pdu.command_status)
			die('otasim refuses the bind: ' + pdu.command_status);
		listen();
	});
});
upstream.on('error', (e) => die('otasim: ' + e.message));
upstream.on('close', () => die('otasim is gone'));
upstream.on('enquire_link', (pdu) => upstream.send(pdu.response()));

/* The gateway learned another id, in hexadecimal; its receipt names it in decimal, and there is no reference.  A receipt may
 * come before the answer to its submit: it waits for it.  False: not yet. */
function receipt(pdu, out) {
	const text = out.short_message.toString('latin1');
	const named = (text.match(/id:(\S+)/) || [])[1];
	if (!ids.has(named)) {
		early.set(named, pdu);
		return false;
	}
	out.short_message = Buffer.from(text.replace(/id:\S+/, 'id:' + ids.get(named)), 'latin1');
	delete out.user_message_reference;
	return true;
}

function deliver(pdu) {
	const to = gateways.find((g) => g.receives);
	const out = copy(pdu);
	const what = pdu.esm_class & 0x3c ? 'receipt' : 'mo';
	if (what === 'receipt' && !receipt(pdu, out))
		return;
	if (!to) {
		upstream.send(pdu.response({ command_status: smpp.ESME_RX_T_APPN }));
		return;
	}
	to.session.deliver_sm(out, (resp) => {
		log(what, resp.command_status, out.message_payload ? 'payload' : '');
		upstream.send(pdu.response({ command_status: resp.command_status }));
	});
}

upstream.on('deliver_sm', deliver);

/* ---- towards the gateway */

function submit(session, pdu) {
	const sent = upstream.submit_sm(copy(pdu), (resp) => {
		const id = ++last_id;
		const receipt_there = early.get(resp.message_id);
		if (resp.message_id)
			ids.set(resp.message_id, id);
		log('submit', resp.command_status);
		session.send(pdu.response({ command_status: resp.command_status, message_id: '0000' + id.toString(16) }));
		if (receipt_there) {
			early.delete(resp.message_id);
			deliver(receipt_there);
		}
	});
	if (!sent)
		die('otasim does not take a submit');
	if (++submits === Number(cut) && !was_cut) {
		was_cut = true;
		log('cut');
		gateways.slice().forEach((g) => g.session.destroy());
	}
}

function serve(session) {
	const g = { session, receives: false };
	const bind = (name, receives) => session.on('bind_' + name, (pdu) => {
		const good = pdu.password === password;
		log('bind', name, pdu.system_id, good ? 'good' : 'bad');
		session.send(pdu.response({ command_status: good ? 0 : smpp.ESME_RINVPASWD, system_id: 'npm' }));
		if (!good)
			return;
		g.receives = receives;
		gateways.push(g);
		/* once: who is asked again and again has no reason to ask */
		session.enquire_link({}, () => log('enquire-answered'));
	});
	bind('transceiver', true);
	bind('receiver', true);
	bind('transmitter', false);
	session.on('submit_sm', (pdu) => submit(session, pdu));
	session.on('enquire_link', (pdu) => {
		log('enquire');
		session.send(pdu.response());
	});
	session.on('unbind', (pdu) => {
		log('unbind');
		session.send(pdu.response());
		session.close();
	});
	session.on('generic_nack', (pdu) => log('nack', pdu.command_status));
	session.on('error', (e) => log('session-error', e.message));
	session.on('close', () => {
		const i = gateways.indexOf(g);
		if (i >= 0)
			gateways.splice(i, 1);
	});
}

function listen() {
	const options = key ? { key: fs.readFileSync(key), cert: fs.readFileSync(cert) } : {};
	const server = smpp.createServer(options, serve);
	server.on('tlsClientError', (e) => log('tls-error', e.message));
	server.listen(0, '127.0.0.1', () => {
		fs.writeFileSync(port_file + '.new', server.address().port + '\n');
		fs.renameSync(port_file + '.new', port_file);
	});
}

process.on('SIGTERM', () => process.exit(0));
