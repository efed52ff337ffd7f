/** A private certificate authority: certificates for the server's files, and a home directory whose browser trusts it. */

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

export async function startAuthority() {
  const dir = await mkdtemp(join(tmpdir(), 'signalbox-ca-'));
  const at = (name) => join(dir, name);
  const openssl = (...args) => run('openssl', args, { cwd: dir });
  await openssl('req', '-x509', ...KEY, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=authority of the tests', '-days', '2');
  await writeFile(at('names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');

  // Where Chromium on Linux keeps what its user trusts.
  const store = at('home/.pki/nssdb');
  await mkdir(store, { recursive: true });
  await run('certutil', ['-d', `sql:${store}`, '-N', '--empty-password']);
  await run('certutil', ['-d', `sql:${store}`, '-A', '-t', 'C,,', '-n', 'authority', '-i', at('ca.pem')]);

  return {
    file: at('ca.pem'),
    pem: await readFile(at('ca.pem'), 'utf8'),
    home: at('home'),
    certificate: at('certificate.pem'),
    key: at('key.pem'),
    /** Puts a new certificate of that name and its key where the two files are. */
    async issue(name) {
      await openssl('req', ...KEY, '-keyout', 'next.key', '-out', 'next.csr', '-subj', `/CN=${name}`);
      await openssl('x509', '-req', '-in', 'next.csr', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-out', 'next.pem',
        '-days', '1', '-extfile', 'names');
      await rename(at('next.pem'), at('certificate.pem'));
      await rename(at('next.key'), at('key.pem'));
    },
    stop: () => rm(dir, { recursive: true, force: true }),
  };
}
