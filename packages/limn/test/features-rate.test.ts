// `limn features rate`: a study that hides its sources from raters, and shares with intervals of what they said.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { BlindStudy, SourceRatings, StudyKey } from '@limn/transcoders';
import { describe, expect, it } from 'vitest';
import { ratingPage } from '../src/rating-page.js';
import { featuresRuns } from './features-runs.js';
import { runLimn } from './run-limn.js';
import { failed } from './steer-runs.js';

describe('limn features rate', () => {
  it('draws a study whose page says nothing of the sources, and counts ratings by them', async () => {
    const runs = await featuresRuns();
    const places = ['--model', runs.model, '--transcoders', runs.set, '--layer', '1', '--text', runs.text, '--json'];
    const drawing = ['--per-source', '3', '--seed', '2', '--out', runs.at('study')];
    const outcome = await runLimn(['features', 'rate', '--blind', ...places, ...drawing]);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(outcome.json()).toMatchObject({ study: 6, sources: ['set layer 1', 'set layer 1, SAE'] });
    const key = runs.json<StudyKey>('study', 'key.json');
    expect(key.sources.map((source) => key.items.filter((item) => item.source === source).length)).toEqual([3, 3]);
    const page = readFileSync(runs.at('study', 'rate.html'), 'utf8');
    for (const secret of ['SAE', 'set layer', 'transcoder', '"feature"', runs.root]) expect(page).not.toContain(secret);
    const study = runs.json<BlindStudy>('study', 'study.json');
    // Everything of the first source is interpretable, one of the second is not, and the rest was not rated.
    const [first = ''] = key.sources;
    const said = key.items.flatMap(({ id, source }, i): object[] =>
      source === first
        ? [{ id, rating: 'interpretable', contextFree: i === 0 }]
        : key.items.findIndex((other) => other.source !== first) === i
          ? [{ id, rating: 'not', note: 'noise' }]
          : [],
    );
    const ratings = { format: 'limn-ratings/1', keyDigest: study.keyDigest, ratings: said };
    writeFileSync(runs.at('ratings.json'), JSON.stringify(ratings));
    const counted = await runLimn([
      'features',
      'rate',
      '--score',
      runs.at('ratings.json'),
      '--study',
      runs.at('study'),
      '--json',
    ]);
    expect(counted.exitCode, counted.stderr).toBe(0);
    const [own, other] = (counted.json() as unknown as { sources: SourceRatings[] }).sources as [
      SourceRatings,
      SourceRatings,
    ];
    expect(own).toMatchObject({ rated: 3, unrated: 0, interpretable: { count: 3, share: 1, high: 1 } });
    // Wilson's interval of 3 in 3: 1/(1 + z²/3).
    expect(own.interpretable.low).toBeCloseTo(1 / (1 + 1.959964 ** 2 / 3), 5);
    expect(other).toMatchObject({ rated: 1, unrated: 2, not: { count: 1, share: 1 } });

    const code = async (change: object, ...more: string[]) => {
      writeFileSync(runs.at('odd.json'), JSON.stringify({ ...ratings, ...change }));
      return (
        await failed([
          'features',
          'rate',
          '--score',
          runs.at('odd.json'),
          '--study',
          runs.at('study'),
          '--json',
          ...more,
        ])
      ).slice(0, 2);
    };
    expect(await code({ keyDigest: 'other' })).toEqual([4, 'data/ratings']);
    expect(await code({ ratings: [{ id: 1, rating: 'good' }] })).toEqual([4, 'data/ratings']);
    expect(await code({ ratings: [said[0], said[0]] })).toEqual([4, 'data/ratings']);
    writeFileSync(runs.at('study', 'key.json'), JSON.stringify({ ...key, seed: 3 }));
    expect(await code({})).toEqual([4, 'data/blind-key']);
  });

  it('refuses with a code and leaves nothing', async () => {
    const runs = await featuresRuns();
    const code = async (...more: string[]) => (await failed(['features', 'rate', '--json', ...more])).slice(0, 2);
    const places = ['--blind', '--model', runs.model, '--transcoders', runs.set, '--text', runs.text];
    const out = ['--out', runs.at('no-study')];
    expect(await code()).toEqual([2, 'usage/blind-study']);
    expect(await code(...places, ...out)).toEqual([2, 'usage/blind-study']);
    expect(await code(...places, ...out, '--layer', '1', '--score', 'x')).toEqual([2, 'usage/blind-study']);
    expect(await code('--score', runs.at('no.json'))).toEqual([2, 'usage/blind-study']);
    expect(await code('--score', runs.at('no.json'), '--study', runs.root)).toEqual([4, 'data/blind-study']);
    expect(await code(...places, ...out, '--layer', '1')).toEqual([4, 'data/blind-study']);
    expect(existsSync(runs.at('no-study'))).toBe(false);
  });
});

it('whatever tokens hold, the page stays one script and one list of data', () => {
  const hostile = '</script><script>alert(1)</script>';
  const page = ratingPage({
    format: 'limn-blind-study/1',
    keyDigest: 'digest',
    items: [{ id: 1, top: [{ tokens: [1], texts: [hostile], at: 0, shades: [1] }], bands: [] }],
  });
  expect(page.match(/<script/g)).toHaveLength(2);
  const [, data = ''] = /<script type="application\/json" id="data">(.*)<\/script>/.exec(page) ?? [];
  expect((JSON.parse(data) as { study: BlindStudy }).study.items[0]!.top[0]!.texts).toEqual([hostile]);
});
