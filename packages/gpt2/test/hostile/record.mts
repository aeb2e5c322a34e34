// Writes the hostile corpus and records the reference reader's verdicts on it and on numbered mutants. `npm run record:hostile -w @limn/gpt2`
// Needs Python with safetensors. With a number as argument nothing is written: that many mutants are compared with the live reference.
import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { stricterThanReference } from '../../src/safetensors.ts';
import { hostileFiles } from './corpus.ts';
import { numberedMutant } from './mutations.ts';
import { referenceVerdicts } from './reference.ts';
import { accepts, verdictOf } from './verdict.ts';

const here = import.meta.dirname;
const recorded = 2500;
const asked = Number(process.argv[2] ?? 0);

if (asked > 0) {
  const tally = new Map<string, number>();
  let disagreements = 0;
  for (let from = 0; from < asked; from += 50_000) {
    const files = Array.from({ length: Math.min(50_000, asked - from) }, (_, i) => numberedMutant(from + i));
    const { verdicts } = referenceVerdicts(files);
    for (const [i, bytes] of files.entries()) {
      const [theirs, ours] = [verdicts[i] as string, await verdictOf(bytes)];
      const word = (verdict: string): string => (accepts(verdict) ? 'accepted' : (verdict.split(':')[0] ?? ''));
      const both = `${word(theirs)} by the reference, ${word(ours)} here`;
      tally.set(both, (tally.get(both) ?? 0) + 1);
      const listed = accepts(theirs) && stricterThanReference.has(ours);
      if (theirs === ours || listed || (!accepts(theirs) && !accepts(ours))) continue;
      disagreements++;
      console.error(`mutant ${from + i}: ${theirs} by the reference, ${ours} here`);
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
    reference: ofCorpus.verdicts[i],
  }));
  const about = {
    reference: `safetensors ${ofCorpus.version} (Python)`,
    command: 'npm run record:hostile -w @limn/gpt2',
  };
  writeFileSync(path.join(corpus, 'expected.json'), `${JSON.stringify({ ...about, files: listed }, null, 2)}\n`);

  const mutants = Array.from({ length: recorded }, (_, i) => numberedMutant(i));
  const { verdicts } = referenceVerdicts(mutants);
  const sha256 = createHash('sha256');
  for (const bytes of mutants) sha256.update(bytes);
  // Eight digits of what was read, or a dash.
  const contents = verdicts.map((verdict) => (accepts(verdict) ? verdict.split(' ')[1] : '-'));
  const lines = Array.from({ length: Math.ceil(recorded / 20) }, (_, i) =>
    contents.slice(20 * i, 20 * i + 20).join(' '),
  );
  const record = { ...about, mutants: recorded, sha256: sha256.digest('hex'), contents: lines };
  mkdirSync(path.join(here, '../recorded'), { recursive: true });
  writeFileSync(path.join(here, '../recorded/safetensors-verdicts.json'), `${JSON.stringify(record, null, 2)}\n`);
  console.log(`${hostileFiles.length} hostile files, ${recorded} mutants, by ${about.reference}`);
}
