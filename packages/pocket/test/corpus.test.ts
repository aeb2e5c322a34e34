// Packed batches: recorded bits, purity in the step, packing, tags, and no held-out document in the training stream.
import { describe, expect, it } from 'vitest';
import { hash, isCellHeldOut, wordOf, HYPERNYM_FRAMES } from '@limn/tasks';
import { Corpus, RECIPE, pocketCorpus, tokensOf } from '@limn/pocket';

const corpus = pocketCorpus();
const { sequences, length } = corpus.options;

describe('Corpus', () => {
  it('gives the recorded batches', () => {
    expect([0, 1, RECIPE.schedule.steps - 1].map((step) => hash(...corpus.batch(step)))).toMatchInlineSnapshot(`
      [
        349281650,
        56712106,
        1219982102,
      ]
    `);
  });

  it('is a pure function of seed and step', () => {
    const stream = corpus.from(5);
    expect(stream.next().value).toEqual({ step: 5, tokens: corpus.batch(5) });
    expect(stream.next().value).toEqual({ step: 6, tokens: pocketCorpus().batch(6) });
    expect(corpus.batch(6)).not.toEqual(corpus.batch(5));
    expect(pocketCorpus(1).batch(5)).not.toEqual(corpus.batch(5));
  });

  it('packs whole documents, each behind an end-of-text token, and cuts only the last', () => {
    for (let row = 0; row < sequences; row++) {
      const { tokens, tags, documents } = corpus.sequence(3, row);
      expect(tokens).toEqual(corpus.batch(3).slice(row * length, (row + 1) * length));
      expect(tags.length).toBe(length);
      let at = 0;
      documents.forEach(({ document, start }, i) => {
        expect(tokens[at]).toBe(0);
        expect(start).toBe(at + 1);
        const rest = document.tokens.slice(0, length - start);
        expect(tokens.slice(start, start + rest.length)).toEqual(Uint32Array.from(rest));
        expect(tags.slice(start, start + rest.length)).toEqual(document.tags.slice(0, length - start));
        if (i < documents.length - 1) expect(rest.length).toBe(document.tokens.length);
        at = start + rest.length;
      });
      // A document that would begin past the end leaves its end-of-text token as the last one.
      expect(at === length || (at === length - 1 && tokens[at] === 0)).toBe(true);
    }
  });

  it('puts documents behind none, one and two others', () => {
    const counts = [0, 0, 0];
    for (let row = 0; row < sequences; row++) {
      corpus.sequence(0, row).documents.forEach((_, i) => {
        if (i < 3) counts[i]! += 1;
      });
    }
    expect(Math.min(...counts)).toBeGreaterThan(sequences * 0.7);
  });

  it('never shows a held-out cell: hypernymy over 400,000 tokens', () => {
    const small = new Corpus({ ...corpus.options, sequences: 16 });
    let seen = 0;
    for (let step = 0; step < 400; step++) {
      for (let row = 0; row < 16; row++) {
        for (const { document } of small.sequence(step, row).documents) {
          if (document.family !== 'hypernymy') continue;
          const kind = wordOf(document.tokens[document.tags.findIndex((tag) => tag.role === 'hyponym')] ?? -1);
          const frame = HYPERNYM_FRAMES.findIndex(([name]) => document.template === `hypernymy/${name}`);
          expect(isCellHeldOut('hypernymy', kind, frame, HYPERNYM_FRAMES.length)).toBe(false);
          seen++;
        }
      }
    }
    expect(seen).toBeGreaterThan(1_000);
  });

  it('stays within the budget of tokens', () => {
    expect(tokensOf(RECIPE)).toBeLessThanOrEqual(12e6);
  });
});
