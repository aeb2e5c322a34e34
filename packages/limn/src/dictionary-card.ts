// The model card of a set: README.md with what it is, what it was trained on and what was measured, nothing else.
import type { SetDescription, TrainingSpec } from '@limn/transcoders';
import {
  FIGURE_HEADINGS,
  figureRows,
  interpretabilityLines,
  type MeasuredDictionaries,
  type MeasuredText,
} from './measured-dictionaries.js';

/** What a card is made of. */
export interface CardRequest {
  readonly title: string;
  readonly description: SetDescription;
  readonly specs: readonly TrainingSpec[];
  /** Tokens trained on. */
  readonly tokens: number;
  readonly data: { readonly name: string; readonly sha256?: string | undefined };
  readonly skip: number;
  readonly measured: MeasuredDictionaries;
  /** Figures of dictionaries by name: their features. */
  readonly features: (name: string) => number | undefined;
}

/** Nats of mean-ablation from which the share recovered says something. */
const WORTH = 0.2;

/** The card in Markdown. */
export function dictionaryCard(request: CardRequest): string {
  const { title, description, specs, tokens, data, skip, measured, features } = request;
  const { model, versions = {}, adapter, command } = description;
  const [spec] = specs;
  return [
    `# ${title}`,
    '',
    `Dictionaries of the MLPs of a ${model.architecture} of ${model.layers} layers and width ${model.width}, weights ${model.fingerprint}` +
      `${model.processing === 'none' ? '' : ` (${model.processing})`}. In limn's format: \`limn transcode evaluate --model … --transcoders .\` measures them again.`,
    '',
    '## Training',
    '',
    ...(spec ? settings(spec).map((line) => `- ${line}`) : []),
    `- ${tokens.toLocaleString('en')} tokens of ${cell(data.name)}${data.sha256 === undefined ? '' : `, sha256 ${data.sha256}`}`,
    ...(skip > 0 ? [`- the first ${skip} positions of every sequence left out`] : []),
    `- ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}${adapter === undefined ? '' : `, on ${adapter}`}`,
    ...(command === undefined ? [] : ['', '```sh', command, '```']),
    '',
    '## Figures',
    '',
    ...figuresOf(measured.own, features),
    ...(measured.general ? ['', ...figuresOf(measured.general, features)] : []),
    ...(measured.gaps && measured.general
      ? [
          '',
          `FVU here less FVU on ${cell(measured.general.name)}: ${measured.gaps.map(({ name, gap }) => `${name} ${gap >= 0 ? '+' : ''}${gap.toFixed(3)}`).join(', ')}.`,
        ]
      : []),
    ...(measured.interpretability ? ['', ...interpretabilityLines(measured).map((line) => `- ${cell(line)}`)] : []),
    '',
    'L0: features that fire for a token. FVU: Σ‖y − ŷ‖² / Σ‖y − ȳ‖². dead: features that fired on no token measured. loss: mean cross-entropy in' +
      ' nats with the MLP replaced. recovered, of zero: share of what mean- and zero-ablation of the MLP cost that is not lost. KL: mean' +
      ' KL(model ‖ replaced) in nats. same top: tokens after which the likeliest next one stays. mean costs: nats that the mean in its place costs;' +
      ` below ${WORTH} the share recovered says little, and KL is to be read instead.`,
    '',
  ].join('\n');
}

function settings(spec: TrainingSpec): string[] {
  const { loss, rate } = spec;
  const across = 'crossLayer' in spec;
  const { input, features, activation } = across ? spec.crossLayer : spec.config;
  const { reconstruction, sparsity, preActivation, auxiliary } = loss;
  const terms = [
    `reconstruction ${reconstruction}`,
    ...(sparsity ? [`${sparsity.weight} · ${sparsity.kind}`] : []),
    ...(preActivation ? [`${preActivation.weight} · pre-activations of dead features`] : []),
    ...(auxiliary ? [`${auxiliary.weight} · AuxK of ${auxiliary.features}`] : []),
  ];
  return [
    across
      ? `a cross-layer transcoder: ${features} features of each layer, which read ${input} there and write hook_mlp_out of that layer and all behind it`
      : `reads ${input}, writes hook_mlp_out, ${features} features${spec.config.skip ? ', with a skip connection' : ''}`,
    `activation ${activation.kind}${'k' in activation ? `, k ${activation.k}` : ''}`,
    `loss: ${terms.join(', ')}; Adam, rate ${rate?.toPrecision(3) ?? '1e-3'}, first weights ${across ? 'uniform' : (spec.initial ?? 'paper')}`,
  ];
}

function figuresOf(text: MeasuredText, features: CardRequest['features']): string[] {
  const { name, sequences, figures } = text;
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  return [
    `On ${cell(name)}: ${sequences} sequences, ${figures.predictions} predictions; the model's own loss is ${figures.loss.toFixed(4)} nats.`,
    '',
    line(FIGURE_HEADINGS),
    line(FIGURE_HEADINGS.map((_, i) => (i === 0 ? '---' : '---:'))),
    ...figureRows(figures, features).map(line),
  ];
}

/** Text of others as text of a table. */
const cell = (text: string): string =>
  text.replaceAll(/[\\`*_{}[\]<>#|]/g, (character) => `\\${character}`).replaceAll(/\s+/g, ' ');
