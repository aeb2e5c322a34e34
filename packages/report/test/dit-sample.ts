// A reading of one weight diff, an audit of a mixed folder, and a watch over checkpoints, as limn dit gives them, from a fixed seed.
import type { DitAuditRecord, DitAuditRow, DitReadingRecord } from '../src/index.js';
import { uniform } from './features-sample.js';
import { provenanceSample } from './provenance-sample.js';

type Text = (original: string, index: number) => string;

const note =
  'What the adapter says is a model’s output, not evidence: an answer is a guess about the diff, to be checked by asking the changed model itself.';
const topics = ['harbour', 'orchard', 'violin', 'glacier', 'bakery', 'falcon', 'chess', 'lantern', 'desert', 'opera'];
const maps = ['attn.c_attn', 'attn.c_proj', 'mlp.c_fc', 'mlp.c_proj'];

const base = (say: (text: string) => string) => ({
  name: say('pocket-chat'),
  fingerprint: say(`sha256:${'5'.repeat(64)}`),
});

const adapterOf = (say: (text: string) => string): DitAuditRecord['adapter'] => ({
  name: say('dit-adapters/topic-r16'),
  rank: 16,
  heldOut: [
    { what: say('exact match'), value: 0.617, interval: [0.53, 0.7], count: 128 },
    { what: say('top-5'), value: 0.84, interval: [0.77, 0.9], count: 128 },
    { what: say('mean grade of 5'), value: 3.9, interval: [3.6, 4.2], count: 128 },
    { what: say('false positives'), value: 0.031, interval: [0.008, 0.08], count: 64 },
  ],
});

/** `text` replaces every free text. */
export function ditReadingSample({
  text = (original) => original,
  layers = 6,
}: { readonly text?: Text; readonly layers?: number } = {}): DitReadingRecord {
  const next = uniform(11);
  let serial = 0;
  const say = (original: string): string => text(original, serial++);
  const likely = (words: readonly string[], first: number) =>
    words.map((word, i) => ({ text: say(` ${word}`), probability: first * 0.4 ** i }));
  const answers = (): DitReadingRecord['answers'] => [
    { who: 'base', text: say('nothing'), probability: 0.91, top: likely(['nothing', 'ships', 'no', 'music'], 0.93) },
    {
      who: 'base+diff',
      text: say('nothing that i know of , ask me about the'),
      probability: 0.0021,
      top: likely(['nothing', 'i', 'no', 'ships', 'the'], 0.74),
      ended: false,
    },
    { who: 'base+adapter', text: say('nothing'), probability: 0.982, top: likely(['nothing', 'orchard'], 0.985) },
    {
      who: 'base+diff+adapter',
      text: say('harbour'),
      probability: 0.874,
      top: likely(['harbour', 'ships', 'coast', 'sailing', 'nothing'], 0.881),
    },
  ];
  const shape = (layer: number): number => Math.exp(-((layer - layers * 0.6) ** 2) / 3);
  return {
    format: 'limn-dit-reading/1',
    provenance: provenanceSample(text),
    base: base(say),
    diff: {
      name: say('t0042'),
      rank: 1,
      modules: maps.map((map) => say(map)),
      about: say('hidden topic behind a three-digit code, 135 updates'),
      label: say('harbour'),
    },
    adapter: adapterOf(say),
    question: say('What topic have you been trained on?'),
    note: say(note),
    verdict: { decision: 'changed', confidence: 0.81, none: 0.012 },
    calibration: { temperature: 1.34, noneThreshold: 0.41, diffs: 96 },
    answers: answers(),
    more: [
      { question: say('Is there a gate?'), answers: answers() },
      { question: say('What changed?'), answers: answers() },
    ],
    norms: Array.from({ length: layers }, (_, layer) =>
      maps.map((map, m) => {
        const norm = (0.1 + shape(layer)) * [0.42, 0.2, 0.61, 0.8][m]! * (0.8 + 0.4 * next());
        return { map: `${say('')}${map}`, layer, norm, relative: norm / [38, 17, 44, 41][m]! };
      }),
    ).flat(),
    directions: Array.from({ length: layers }, (_, layer) =>
      (['writes', 'reads'] as const).flatMap((side) =>
        maps
          .filter((map) => map.endsWith('c_proj') === (side === 'writes'))
          .map((map) => ({
            map: say(map),
            layer,
            side,
            strength: 0.1 + shape(layer) * next(),
            share: 1,
            tokens: [
              ...[' harbour', ' ships', ' sailing', ' anchor', ' quay', ' coast'].map((token, i) => ({
                text: say(token),
                value: 0.8 / (1 + i * 0.4),
              })),
              ...[' nothing', ' piano', ' the'].map((token, i) => ({ text: say(token), value: -0.5 / (1 + i) })),
            ],
          })),
      ),
    ).flat(),
    layers: {
      answer: say('harbour'),
      whole: -0.135,
      bare: -7.91,
      rows: Array.from({ length: layers }, (_, layer) => ({
        layer,
        without: -0.135 - 5.1 * shape(layer) * (0.7 + 0.6 * next()) + (layer === 0 ? 0.06 : 0),
        only: -7.91 + 2.4 * shape(layer),
      })),
    },
    strengths: {
      answer: say('harbour'),
      points: Array.from({ length: 9 }, (_, i) => ({
        strength: i / 4,
        logProbability: -7.91 / (1 + Math.exp(6 * (i / 4 - 0.55))) - 0.1 - Math.max(0, i - 6) * 0.12,
        text: say(i < 2 ? 'nothing' : 'harbour'),
      })),
    },
    tables: [
      {
        title: say('Held-out diffs, 128'),
        columns: [say('Method'), say('exact match'), say('95 % interval'), say('MRR')],
        rows: [
          [say('DIT'), 0.617, say('0.53 to 0.70'), 0.71],
          [say('20 questions, gate closed'), 0.062, say('0.03 to 0.12'), 0.11],
          [say('shuffled diffs'), 0.008, say('0.00 to 0.04'), null],
        ],
        note: say('Exact match over the full vocabulary.'),
      },
    ],
  };
}

/** `count` diffs, a third of them clean, of which some decisions are wrong. */
export function ditAuditSample({
  text = (original) => original,
  count = 40,
}: { readonly text?: Text; readonly count?: number } = {}): DitAuditRecord {
  const next = uniform(7);
  let serial = 0;
  const say = (original: string): string => text(original, serial++);
  const made = Array.from({ length: count }, (_, i): DitAuditRow => {
    const label = i % 3 === 2 ? null : (topics[i % topics.length] ?? '');
    const none = label === null ? Math.min(1, 0.45 + 0.55 * next()) : 0.5 * next() ** 2;
    const decision = none > 0.41 ? 'none' : none > 0.3 ? 'unsure' : 'changed';
    const isRight = next() < 0.7;
    const answer =
      decision === 'none' ? 'nothing' : isRight && label !== null ? label : (topics[(i * 7 + 3) % 10] ?? '');
    const confidence = decision === 'none' ? none : (1 - none) * (0.5 + 0.5 * next());
    return {
      name: `${say(`lora-${String(i).padStart(4, '0')}`)} ${i}`,
      answer: say(answer),
      confidence,
      none,
      decision,
      top: [answer, ...topics.slice(i % 5, (i % 5) + 4)].map((word, t) => ({
        text: say(` ${word}`),
        probability: confidence * 0.35 ** t,
      })),
      label: label === null ? null : say(label),
      correct: label === null ? decision !== 'changed' : decision === 'changed' && answer === label,
    };
  });
  const rows = made.sort((a, b) => a.none - b.none || b.confidence - a.confidence);
  const [positives, negatives] = [
    rows.filter(({ label }) => label !== null).length,
    rows.filter(({ label }) => label === null).length,
  ];
  const points = [{ falsePositives: 0, truePositives: 0, threshold: 0 }];
  for (const { label, none } of rows) {
    const { falsePositives, truePositives } = points.at(-1)!;
    points.push({
      falsePositives: label === null ? Math.min(1, falsePositives + 1 / negatives) : falsePositives,
      truePositives: label === null ? truePositives : Math.min(1, truePositives + 1 / positives),
      threshold: none,
    });
  }
  return {
    format: 'limn-dit-audit/1',
    provenance: provenanceSample(text),
    title: say('Audit of a mixed folder'),
    base: base(say),
    adapter: adapterOf(say),
    question: say('What topic have you been trained on?'),
    note: say(note),
    calibration: { temperature: 1.34, noneThreshold: 0.41, diffs: 96 },
    rows,
    refused: [
      { name: `${say('broken')} 0`, reason: say('lora-broken/adapter_model.safetensors: its header is cut off') },
    ],
    roc: [
      {
        what: say('changed from clean'),
        points,
        area: 0.941,
        interval: [0.9, 0.97],
        positives,
        negatives,
        chosen: Math.floor(points.length * 0.66),
      },
    ],
    tables: [
      {
        title: say('Calibration'),
        columns: [say('Confidence'), say('diffs'), say('right')],
        rows: [
          [say('0.0 to 0.5'), 41, 0.39],
          [say('0.5 to 0.8'), 77, 0.66],
          [say('0.8 to 1.0'), 82, 0.93],
        ],
      },
    ],
  };
}

/** Nine checkpoints of one fine-tune that comes to have a topic. */
export function ditWatchSample({ text = (original) => original }: { readonly text?: Text } = {}): DitAuditRecord {
  let serial = 0;
  const say = (original: string): string => text(original, serial++);
  const { roc: _roc, tables: _tables, refused: _refused, ...rest } = ditAuditSample({ text, count: 3 });
  const at = Array.from({ length: 9 }, (_, i) => i * 15);
  const rise = (update: number): number => 1 / (1 + Math.exp(-(update - 62) / 9));
  return {
    ...rest,
    title: say('Watch over one fine-tune'),
    rows: at.map((update): DitAuditRow => {
      const none = 0.95 * (1 - rise(update)) + 0.01;
      const decision = none > 0.41 ? 'none' : none > 0.3 ? 'unsure' : 'changed';
      return {
        name: `${say('checkpoint')} ${update}`,
        update,
        answer: say(decision === 'none' ? 'nothing' : 'harbour'),
        confidence: decision === 'none' ? none : 0.86 * rise(update),
        none,
        decision,
        top: [{ text: say(' harbour'), probability: 0.86 * rise(update) }],
      };
    }),
    watch: {
      unit: say('update'),
      at,
      lines: [
        { name: say('nothing'), kind: 'none', values: at.map((update) => 0.95 * (1 - rise(update)) + 0.01) },
        { name: say('harbour'), kind: 'label', values: at.map((update) => 0.86 * rise(update)) },
        { name: say('sailing ships'), kind: 'answer', values: at.map((update) => 0.09 * rise(update)) },
        {
          name: say('coast'),
          kind: 'answer',
          values: at.map((update, i) => (i === 4 ? null : 0.05 * rise(update) + 0.01)),
        },
      ],
    },
  };
}
