// The figures that follow the strength and the penalty, and the drawings of one prompt: made with the page, and again by its script.
import { answerGauges } from './answer-gauges.js';
import type { Drawn } from './drawn.js';
import type { LivePrompt, LiveSteering } from './live-steering.js';
import { nextTokens } from './next-tokens.js';
import { numberText, percentText } from './number-text.js';
import { strengthText } from './steering-cell.js';
import { bare, clip } from './token-words.js';

type Figures = readonly (readonly [name: string, value: string])[];

/** Over all prompts: at one strength, or of another penalty, where only both ways together were measured. */
export function strengthFigures(data: LiveSteering, strength: number, point: number | undefined): Figures {
  const { path, cells, sweep } = data;
  const along = point === undefined ? undefined : path?.points[point];
  const own = point === path?.chosen || along === undefined;
  const cellCount =
    cellsText(own ? cells?.values : along.values, cells?.live) ?? (along && numberText(along.nonZero, 9));
  const figures: [string, string | undefined][] = [['cells that are not 0', cellCount]];
  if (!own)
    figures.push(
      ['success both ways', percentText(along.twoWaySuccess)],
      ['mean βΔ, logits', numberText(along.effect)],
      ['mean KL, nats', numberText(along.drift, 2)],
    );
  else {
    const at = sweep.find((each) => each.strength === strength);
    if (at)
      figures.push(
        ['mean Δ, logits', numberText(strength < 0 ? -at.effect : at.effect)],
        [strength < 0 ? 'prefer ■' : 'prefer ●', percentText(at.flipped)],
        ['mean KL, nats', numberText(at.bucket, 2)],
        ['mean change of p(●) + p(■)', numberText(at.massDrift, 2)],
      );
  }
  return figures.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
}

/** '23 of 398 (5.8 %)', of cells that can have an effect. */
function cellsText(values: readonly (number | null)[] | undefined, live: readonly boolean[] = []): string | undefined {
  if (!values) return undefined;
  const all = live.filter(Boolean).length;
  const kept = values.filter((value, i) => live[i] && value !== null && value !== 0).length;
  return `${numberText(kept, 9)} of ${numberText(all, 9)}${all ? ` (${percentText(kept / all)})` : ''}`;
}

/** The gauges and the next tokens of a prompt at a strength; nothing where it was not measured. */
export function promptDrawings(data: LiveSteering, prompt: LivePrompt, strength: number): Drawn[] {
  const steered =
    prompt.outcomes.find((outcome) => outcome.strength === strength) ??
    (strength === 0 && prompt.untouched ? { ...prompt.untouched, strength: 0, bucket: 0 } : undefined);
  const { untouched } = prompt;
  if (!steered || !untouched) return [];
  const names = { correct: bare(prompt.correct), wrong: bare(prompt.wrong) };
  const gauges = answerGauges({ names, untouched, steered, most: data.most, rule: data.rule });
  return untouched.top && steered.top ? [gauges, nextTokens(untouched.top, steered.top, prompt)] : [gauges];
}

/** What the slider says: '+1, towards Berlin'. */
export function strengthSays(
  { alike }: Pick<LiveSteering, 'alike'>,
  strength: number,
  { correct, wrong }: { correct: string; wrong: string },
): string {
  if (strength === 0) return '0, untouched';
  // What makes answers alike was learnt at +1, and favours neither.
  if (alike) return `${strengthText(strength)}${strength === 1 ? ', as learnt' : ''}`;
  return `${strengthText(strength)}, towards ${strength > 0 ? `● ${clip(bare(correct))}` : `■ ${clip(bare(wrong))}`}`;
}

/** What the penalty's slider says. */
export function penaltySays({ path }: LiveSteering, point: number): string {
  const at = path?.points[point];
  return at ? `λ = ${numberText(at.penalty)}` : '';
}
