// The dashboard of one feature: how often it fires, where, what it reads and what it writes. Made with the page and by its script.
import { drawn, type Drawn } from '../drawn.js';
import { numberText, percentText } from '../number-text.js';
import { activationHistogram } from './activation-histogram.js';
import { featureKey } from './feature-key.js';
import type { FeatureExample, FeatureRecord } from './feature-record.js';
import { tokenWindow, type ActivationRange } from './token-window.js';

/** Examples that stand open; the others fold. */
const open = 5;

/** How much of it is shown. */
export interface CardOptions {
  /** A short one, to stand beside something else: no bands, few examples, no field for the label. */
  readonly small?: boolean;
}

export function featureCard(feature: FeatureRecord, { small = false }: CardOptions = {}): Drawn {
  const { origin, feature: index, dictionary, label, top = [], bands = [] } = feature;
  const range = { least: feature.min, most: feature.max };
  const examples = top.slice(0, small ? 3 : undefined);
  return drawn(
    small ? 'div' : 'article',
    { class: small ? 'feature small' : 'feature', 'data-feature': featureKey(feature) },
    drawn(
      'div',
      { class: 'feature-head' },
      drawn(
        small ? 'h5' : 'h3',
        {},
        `${originName(origin)} · ${numberText(index, 9)} `,
        drawn('bdi', { class: 'feature-label', 'data-label': '' }, label?.text ?? ''),
      ),
      dictionary !== undefined && drawn('p', { class: 'note' }, drawn('bdi', {}, dictionary)),
      !small &&
        drawn(
          'label',
          { class: 'only-live label-field' },
          'Label ',
          drawn('input', {
            type: 'text',
            'data-name': '',
            value: label?.text ?? '',
            maxlength: 10_000,
            autocomplete: 'off',
            placeholder: 'what it stands for',
            'aria-label': `Label of feature ${index} of layer ${origin.layer}`,
          }),
        ),
    ),
    drawn('dl', { class: 'figures' }, ...figures(feature).map(([name, value]) => figure(name, value))),
    drawn(
      'div',
      { class: 'feature-sides' },
      drawn(
        'div',
        { class: 'fires' },
        ...(examples.length
          ? [
              drawn('h4', {}, 'Where it fires most'),
              windows(examples.slice(0, open), range),
              ...folded(`${examples.length - open} more`, examples.slice(open), range),
            ]
          : [drawn('p', { class: 'note' }, 'It fires nowhere in what was read.')]),
        ...(small ? [] : bandParts(bands, range)),
      ),
      drawn(
        'div',
        { class: 'writes' },
        activationHistogram(feature) ?? false,
        ...tokenLists('Raises these logits', feature.logits?.most, small),
        ...tokenLists('Lowers these', feature.logits?.least, small),
        ...tokenLists('Reads these embeddings', feature.deEmbedding?.most, small),
        ...(small ? [] : tokenLists('Is turned off by these', feature.deEmbedding?.least, small)),
      ),
    ),
  );
}

/** Names and values; only what was measured. */
function figures({ frequency, max, encoderNorm, decoderNorm }: FeatureRecord): readonly (readonly [string, string])[] {
  return [
    ['of tokens', percentText(frequency)],
    ['most', numberText(max)],
    ...(encoderNorm === undefined ? [] : [['‖encoder‖', numberText(encoderNorm)] as const]),
    ...(decoderNorm === undefined ? [] : [['‖decoder‖', numberText(decoderNorm)] as const]),
  ];
}

const figure = (name: string, value: string): Drawn => drawn('div', {}, drawn('dt', {}, name), drawn('dd', {}, value));

const windows = (examples: readonly FeatureExample[], range: ActivationRange): Drawn =>
  drawn('ol', { class: 'windows' }, ...examples.map((each) => tokenWindow(each, range)));

const folded = (name: string, examples: readonly FeatureExample[], range: ActivationRange): Drawn[] =>
  examples.length ? [drawn('details', {}, drawn('summary', {}, name), windows(examples, range))] : [];

/** Uniform intervals of the activation from the highest down, so that what the feature does when it fires weakly is seen as well. */
function bandParts(bands: NonNullable<FeatureRecord['bands']>, range: ActivationRange): Drawn[] {
  if (!bands.length) return [];
  return [
    drawn(
      'details',
      { class: 'bands' },
      drawn('summary', {}, `In ${bands.length} intervals of its activation`),
      ...[...bands]
        .sort((a, b) => b.from - a.from)
        .flatMap(({ from, to, share, examples }) => [
          drawn(
            'p',
            { class: 'band-name' },
            `${numberText(from)} to ${numberText(to)}`,
            drawn('span', {}, `${percentText(share)} of tokens`),
          ),
          windows(examples, range),
        ]),
    ),
  ];
}

type TokenScore = NonNullable<FeatureRecord['logits']>['most'][number];

/** The text of a token of the vocabulary, or its id. */
export const scoreText = ({ token, text }: TokenScore): string => text ?? `#${token}`;

const originName = ({ kind, layer }: FeatureRecord['origin']): string =>
  kind === 'transcoder' ? `Layer ${layer}` : `Layer ${layer}, ${kind === 'sae' ? 'SAE' : kind}`;

/** Tokens of the vocabulary with their scores. */
function tokenLists(name: string, tokens: readonly TokenScore[] | undefined, small: boolean): Drawn[] {
  if (!tokens?.length) return [];
  const item = (score: TokenScore): Drawn => {
    const { value } = score;
    const token = scoreText(score);
    return drawn(
      'li',
      {},
      drawn(
        'bdi',
        { class: 'token' },
        token.startsWith(' ') && drawn('i', {}, '·'),
        token.startsWith(' ') ? token.slice(1) : token,
      ),
      drawn('data', { value }, numberText(value, 2)),
    );
  };
  return [
    drawn(
      'div',
      {},
      drawn('h4', {}, name),
      drawn('ol', { class: 'scored' }, ...tokens.slice(0, small ? 5 : 7).map(item)),
    ),
  ];
}
