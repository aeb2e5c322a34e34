// Writes the hostile corpus and records the reference reader's verdicts on it and on numbered mutants. `npm run record:hostile -w @limn/gpt2`
// Needs Python with safetensors. With a number as argument nothing is written: that many mutants are compared with the live reference.
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { memoryFiles } from '../../src/files.ts';
import { readSafetensorsHeader, stricterThanReference } from '../../src/safetensors.ts';
import { hostileFiles } from './corpus.ts';
import { numberedMutant } from './mutations.ts';
import { referenceVerdicts } from './reference.ts';

const here = import.meta.dirname;
const recorded = 2500;
const asked = Number(process.argv[2] ?? 0);

async function codeOf(bytes: Uint8Array): Promise<string> {
  try {
    await readSafetensorsHeader(memoryFiles({ file: bytes }), 'file');
    return 'accepted';
  } catch (error) {
    return String((error as { code?: string }).code ?? error);
  }
}

if (asked > 0) {
  const tally = new Map<string, number>();
  let disagreements = 0;
  for (let from = 0; from < asked; from += 50_000) {
    const files = Array.from({ length: Math.min(50_000, asked - from) }, (_, i) => numberedMutant(from + i));
    const { accepted, words } = referenceVerdicts(files);
    for (const [i, bytes] of files.entries()) {
      const code = await codeOf(bytes);
      const verdict = `${accepted[i] ? 'accepted' : 'refused'} by the reference, ${code} here`;
      tally.set(verdict, (tally.get(verdict) ?? 0) + 1);
      if (accepted[i] === (code === 'accepted') || (accepted[i] && stricterThanReference.has(code))) continue;
      disagreements++;
      console.error(`mutant ${from + i}: ${verdict} (${words[i]})`);
    }
  }
  for (const [verdict, count] of [...tally].sort()) console.log(`${String(count).padStart(8)}  ${verdict}`);
  console.log(`${asked} mutants, ${disagreements} disagreements beyond the listed ones`);
  process.exitCode = disagreements > 0 ? 1 : 0;
} else {
  const corpus = path.join(here, 'safetensors');
  rmSync(corpus, { recursive: true, force: true });
  mkdirSync(corpus, { recursive: true });
  const ofCorpus = referenceVerdicts(hostileFiles.map(({ bytes }) => bytes));
  for (const { name, bytes } of hostileFiles) writeFileSync(path.join(corpus, `${name}.safetensors`), bytes);
  const listed = hostileFiles.map(({ name, code }, i) => ({
    file: `${name}.safetensors`,
    limn: code ?? 'accepted',
    reference: ofCorpus.words[i],
  }));
  const about = {
    reference: `safetensors ${ofCorpus.version} (Python)`,
    command: 'npm run record:hostile -w @limn/gpt2',
  };
  writeFileSync(path.join(corpus, 'expected.json'), `${JSON.stringify({ ...about, files: listed }, null, 2)}\n`);

  const mutants = Array.from({ length: recorded }, (_, i) => numberedMutant(i));
  const { accepted } = referenceVerdicts(mutants);
  const sha256 = createHash('sha256');
  for (const bytes of mutants) sha256.update(bytes);
  const digits = accepted.map((yes) => (yes ? '1' : '0')).join('');
  const verdicts = {
    ...about,
    mutants: recorded,
    sha256: sha256.digest('hex'),
    accepted: digits.match(/.{1,100}/g),
  };
  mkdirSync(path.join(here, '../recorded'), { recursive: true });
  writeFileSync(path.join(here, '../recorded/safetensors-verdicts.json'), `${JSON.stringify(verdicts, null, 2)}\n`);
  console.log(`${hostileFiles.length} hostile files, ${recorded} mutants, by ${about.reference}`);
}
