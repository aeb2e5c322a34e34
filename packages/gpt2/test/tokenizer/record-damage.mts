// Records what Hugging Face's Rust tokenizers read in numbered damaged tokenizer.json files. `npm run record:tokenizer-files -w @limn/gpt2`
// Needs Python with tokenizers; LIMN_PYTHON names another python3. With a number nothing is written: that many files are compared live.
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { LimnError } from '@limn/gpu';
import { numberedTokenizer } from './damage.ts';
import { referenceReadings } from './reference.ts';
import { digestOf, isListed, tokenizerVerdict } from './verdict.ts';

const recorded = 1000;
const asked = Number(process.argv[2] ?? 0);

if (asked > 0) {
  const tally = new Map<string, number>();
  for (let from = 0; from < asked; from += 10_000) {
    const files = Array.from({ length: Math.min(10_000, asked - from) }, (_, i) => numberedTokenizer(from + i));
    const { readings } = referenceReadings(files);
    for (const [i, bytes] of files.entries()) {
      const theirs = readings[i] ?? null;
      const ours = await tokenizerVerdict(bytes);
      let verdict;
      if (ours instanceof LimnError)
        verdict =
          theirs === null ? 'refused by both' : isListed(ours, bytes) ? 'refused here for a listed reason' : 'REFUSED';
      else if (theirs === null) verdict = 'ACCEPTED';
      // On some files the reference reads, its encoder fails for every text.
      else if (theirs.includes(null)) verdict = 'read here, where the reference fails later';
      else verdict = digestOf(theirs) === digestOf(ours) ? 'read alike by both' : 'READ OTHERWISE';
      tally.set(verdict, (tally.get(verdict) ?? 0) + 1);
      if (verdict === verdict.toUpperCase()) {
        console.error(`file ${from + i}: ${verdict} here`);
        process.exitCode = 1;
      }
    }
  }
  for (const [verdict, count] of [...tally].sort()) console.log(`${String(count).padStart(8)}  ${verdict}`);
} else {
  const files = Array.from({ length: recorded }, (_, i) => numberedTokenizer(i));
  const { version, readings } = referenceReadings(files);
  const sha256 = createHash('sha256');
  for (const bytes of files) sha256.update(bytes);
  // Eight digits of what was read, a dash for a refusal, or a question mark where the reference fails on a text.
  const contents = readings.map((reading) =>
    reading === null ? '-' : reading.includes(null) ? '?' : digestOf(reading),
  );
  const record = {
    reference: `tokenizers ${version} (Rust, from Python)`,
    command: 'npm run record:tokenizer-files -w @limn/gpt2',
    files: recorded,
    sha256: sha256.digest('hex'),
    contents: Array.from({ length: recorded / 20 }, (_, i) => contents.slice(20 * i, 20 * i + 20).join(' ')),
  };
  writeFileSync(
    path.join(import.meta.dirname, '../recorded/tokenizer-verdicts.json'),
    `${JSON.stringify(record, null, 2)}\n`,
  );
  console.log(`${recorded} files, by ${record.reference}`);
}
