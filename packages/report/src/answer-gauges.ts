// What steering does to two answers, as three gauges with the limits of a success: their logit difference, their probability, and the KL of everything else.
import { drawn } from './drawn.js';
import type { Drawn } from './drawn.js';
import { numberText, scoreText, tenth } from './number-text.js';
import { clip } from './token-words.js';

/** The two answers in one run. */
export interface AnswerFigures {
  readonly delta: number;
  readonly correct: number;
  readonly wrong: number;
}

interface Gauges {
  readonly names: { readonly correct: string; readonly wrong: string };
  readonly untouched: AnswerFigures;
  readonly steered: AnswerFigures & { readonly strength: number; readonly bucket: number };
  /** Ends of the axes: |Δ| and KL. */
  readonly most: { readonly delta: number; readonly bucket: number };
  readonly rule: { readonly margin: number; readonly massShare: number; readonly drift: number } | undefined;
}

const [width, left, right] = [388, 8, 362];
const span = right - left;
const height = 236;

export function answerGauges(gauges: Gauges): Drawn {
  const { names, untouched, steered } = gauges;
  const says =
    `${names.correct} against ${names.wrong}: logit difference ${numberText(untouched.delta)} untouched, ` +
    `${numberText(steered.delta)} steered; together ${numberText(sum(untouched))} and ${numberText(sum(steered))} of the probability; ` +
    `KL ${numberText(steered.bucket)} nats`;
  return drawn(
    'svg',
    { class: 'plot gauges', viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': says },
    difference(gauges),
    shares(gauges),
    divergence(gauges),
  );
}

const sum = ({ correct, wrong }: AnswerFigures): number => correct + wrong;
const words = (x: number, y: number, kind: string, text: string): Drawn => drawn('text', { x, y, class: kind }, text);
const shape = (kind: string, d: string): Drawn => drawn('path', { class: kind, d });

/** Δ: from the wrong answer's side to the right one's, the margins dotted, an arrow from untouched to steered. */
function difference({ names, untouched, steered, most, rule }: Gauges): Drawn {
  const x = (delta: number): number =>
    tenth(left + span / 2 + (Math.max(-1, Math.min(1, delta / most.delta)) * span) / 2);
  const [from, to, zero, y] = [x(untouched.delta), x(steered.delta), x(0), 44];
  const { strength } = steered;
  const margins = rule ? [-rule.margin, rule.margin] : [];
  const reached = rule && strength !== 0 && Math.sign(strength) * steered.delta >= rule.margin;
  const aim = rule && strength !== 0 ? (strength > 0 ? [x(rule.margin), right] : [left, x(-rule.margin)]) : undefined;
  return drawn(
    'g',
    {},
    words(left, 13, 'hinders-text', `■ ${clip(names.wrong)}`),
    words(right, 13, 'helps-text end', `${clip(names.correct)} ●`),
    words((left + right) / 2, 13, 'soft mid', 'Δ, logits'),
    aim !== undefined && shape('aim', `M${aim[0]} ${y - 16}H${aim[1]}V${y + 16}H${aim[0]}Z`),
    shape('axis', `M${left} ${y}H${right}M${zero} ${y - 16}V${y + 16}`),
    ...margins.map((margin) => shape('limit', `M${x(margin)} ${y - 18}V${y + 18}`)),
    Math.abs(to - from) > 9 && shape('go', arrow(from, to, y)),
    drawn('circle', { class: 'before-mark', cx: from, cy: y, r: 5 }),
    drawn('circle', { class: steered.delta >= 0 ? 'helps-mark' : 'hinders-mark', cx: to, cy: y, r: 6 }),
    ...apart(from, to, untouched.delta, steered.delta, y + 32),
    ...margins.map((margin) => words(x(margin), y + 46, 'soft mid', scoreText(margin, 0))),
    rule !== undefined && verdict(strength === 0 ? undefined : reached, y),
  );
}

/** The two numbers below their marks, or one where they would lie on each other. */
function apart(from: number, to: number, before: number, after: number, y: number): Drawn[] {
  const place = (x: number): number => Math.max(left + 14, Math.min(right - 14, x));
  const steered = words(place(to), y, 'mid strong', scoreText(after, 1));
  return Math.abs(from - to) < 34 ? [steered] : [words(place(from), y, 'soft mid', scoreText(before, 1)), steered];
}

const arrow = (from: number, to: number, y: number): string => {
  const end = to - Math.sign(to - from) * 7;
  const back = end - Math.sign(to - from) * 6;
  return `M${from} ${y}H${end}M${back} ${y - 5}L${end} ${y}L${back} ${y + 5}`;
};

/** p of both answers and of all others, untouched above, steered below. */
function shares({ untouched, steered, rule }: Gauges): Drawn {
  const bar = ({ correct, wrong }: AnswerFigures, y: number): Drawn[] => {
    const [a, b] = [tenth(left + correct * span), tenth(left + (correct + wrong) * span)];
    const block = (kind: string, from: number, to: number): Drawn =>
      shape(kind, `M${from} ${y}H${to}V${y + 14}H${from}Z`);
    return [
      block('rest', left, right),
      block('correct', left, a),
      block('wrong', a, b),
      ...(a - left > 16 ? [words((left + a) / 2, y + 11.5, 'inside mid', '●')] : []),
      ...(b - a > 16 ? [words((a + b) / 2, y + 11, 'inside mid', '■')] : []),
    ];
  };
  const least = rule && left + rule.massShare * sum(untouched) * span;
  return drawn(
    'g',
    {},
    words(left, 116, 'soft', 'probability'),
    words(right, 116, 'soft end', `p(●) + p(■): ${numberText(sum(untouched), 2)} → ${numberText(sum(steered), 2)}`),
    ...bar(untouched, 122),
    ...bar(steered, 140),
    least !== undefined && shape('limit', `M${tenth(least)} 137V158`),
    rule !== undefined && verdict(sum(steered) >= rule.massShare * sum(untouched), 148),
  );
}

/** KL with its limit. */
function divergence({ steered, most, rule }: Gauges): Drawn {
  const x = (nats: number): number => tenth(left + Math.min(1, nats / most.bucket) * span);
  const beyond = steered.bucket > most.bucket;
  return drawn(
    'g',
    {},
    words(left, 186, 'soft', 'KL of everything else, nats'),
    words(right, 186, 'soft end', `${numberText(steered.bucket, 2)}${beyond ? ' ›' : ''}`),
    shape('rest', `M${left} 192H${right}V206H${left}Z`),
    shape('drift', `M${left} 192H${x(steered.bucket)}V206H${left}Z`),
    rule !== undefined && shape('limit', `M${x(rule.drift)} 189V210`),
    rule !== undefined && words(x(rule.drift), 222, 'soft mid', numberText(rule.drift)),
    rule !== undefined && verdict(steered.bucket <= rule.drift, 200),
  );
}

/** A tick or a cross at the right; nothing while it is not asked. */
const verdict = (holds: boolean | undefined, y: number): Drawn | false =>
  holds !== undefined && words(width - 4, y + 5, holds ? 'holds end' : 'fails end', holds ? '✓' : '✗');
