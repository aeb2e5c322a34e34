// Labels of features: what people or programs say that each stands for, kept as a JSON file beside the dictionary.
import { CheckedFields } from '@limn/hooks';
import type { DictionaryConfig } from '../dictionary-config.js';

/** The name of the format and of its one version. */
export const FEATURE_LABELS_FORMAT = 'limn-feature-labels/1';

/** What somebody says of a feature; whatever the text holds, it is text. */
export interface FeatureLabel {
  readonly text: string;
  readonly author: string;
  /** When it was written: ISO 8601 in UTC, such as 2026-03-01T12:00:00.000Z. */
  readonly time: string;
  /** What it rests on. */
  readonly evidence?: string;
}

/** Which features labels are of. */
export type LabelledPlace = Pick<DictionaryConfig, 'layer' | 'input' | 'features'>;

/** A feature that two files label otherwise. */
export interface LabelConflict {
  readonly feature: number;
  readonly ours: FeatureLabel;
  readonly theirs: FeatureLabel;
}

const MOST_TEXT = 10_000;
const MOST_LABELS = 10_000_000;
const fields = new CheckedFields(
  'data/feature-labels',
  'The feature labels',
  'Give a file of labels that limn wrote for this dictionary.',
);

/** The labels of one dictionary, at most one a feature. */
export class FeatureLabels implements Iterable<readonly [feature: number, label: FeatureLabel]> {
  readonly place: LabelledPlace;
  readonly #labels = new Map<number, FeatureLabel>();

  /** None yet. */
  constructor({ layer, input, features }: LabelledPlace) {
    this.place = { layer, input, features };
  }

  /** The name of the file in the dictionary's folder. */
  static fileName({ layer, input }: Pick<LabelledPlace, 'layer' | 'input'>): string {
    return `blocks.${layer}.${input}.labels.json`;
  }

  /**
   * Reads a file of labels for a dictionary; nothing in it is taken for anything but text and numbers.
   * @throws LimnError `data/feature-labels`, naming the field
   */
  static parse(text: string, place: LabelledPlace): FeatureLabels {
    const root = fields.parse(text);
    fields.oneOf(root['format'], 'format', [FEATURE_LABELS_FORMAT]);
    const of = fields.record(root['dictionary'], 'dictionary');
    fields.whole(of['layer'], 'dictionary.layer', place.layer, place.layer);
    fields.oneOf(of['input'], 'dictionary.input', [place.input]);
    fields.whole(of['features'], 'dictionary.features', place.features, place.features);
    const labels = new FeatureLabels(place);
    const list = fields.list(root['labels'], 'labels');
    if (list.length > MOST_LABELS) throw fields.refuse('labels', list.length, `at most ${MOST_LABELS} labels`);
    list.forEach((value, i) => {
      const entry = fields.record(value, `labels[${i}]`);
      const feature = fields.whole(entry['feature'], `labels[${i}].feature`, 0, place.features - 1);
      if (labels.#labels.has(feature))
        throw fields.refuse(`labels[${i}].feature`, feature, 'a feature without a label');
      labels.#labels.set(feature, checkLabel(entry, `labels[${i}]`));
    });
    return labels;
  }

  /** How many features have a label. */
  get size(): number {
    return this.#labels.size;
  }

  /** The label of a feature, if it has one. */
  get(feature: number): FeatureLabel | undefined {
    return this.#labels.get(feature);
  }

  /**
   * Gives a feature a label, in the place of the one it had.
   * @throws LimnError `data/feature-labels` for a feature that is not there, empty or overlong texts, and times that are none
   */
  set(feature: number, label: FeatureLabel): this {
    fields.whole(feature, 'feature', 0, this.place.features - 1);
    this.#labels.set(feature, checkLabel({ ...label }, `label of ${feature}`));
    return this;
  }

  /** Takes a label away; whether there was one. */
  delete(feature: number): boolean {
    return this.#labels.delete(feature);
  }

  /** By rising feature. */
  *[Symbol.iterator](): Iterator<readonly [number, FeatureLabel]> {
    yield* [...this.#labels].sort(([a], [b]) => a - b);
  }

  /** Labels whose text holds the words, whatever the case, by rising feature. */
  search(words: string): (readonly [feature: number, label: FeatureLabel])[] {
    const wanted = words.toLowerCase();
    return [...this].filter(([, { text }]) => text.toLowerCase().includes(wanted));
  }

  /** The file: the same labels give the same bytes. */
  toText(): string {
    const labels = [...this].map(([feature, label]) => ({ feature, ...label }));
    return `${JSON.stringify({ format: FEATURE_LABELS_FORMAT, dictionary: this.place, labels }, undefined, 2)}\n`;
  }

  /**
   * Both files' labels. Where they differ in more than time and author, `ours` stays and the conflict is told; a label whose text and
   * evidence are the same is the earlier one.
   * @throws LimnError `data/feature-labels` for labels of another dictionary
   */
  mergedWith(theirs: FeatureLabels): { readonly labels: FeatureLabels; readonly conflicts: readonly LabelConflict[] } {
    const { layer, input, features } = this.place;
    fields.whole(theirs.place.layer, 'dictionary.layer', layer, layer);
    fields.oneOf(theirs.place.input, 'dictionary.input', [input]);
    fields.whole(theirs.place.features, 'dictionary.features', features, features);
    const labels = new FeatureLabels(this.place);
    for (const [feature, label] of this) labels.#labels.set(feature, label);
    const conflicts: LabelConflict[] = [];
    for (const [feature, label] of theirs) {
      const ours = this.get(feature);
      if (ours && (ours.text !== label.text || ours.evidence !== label.evidence))
        conflicts.push({ feature, ours, theirs: label });
      else if (!ours || isEarlier(label, ours)) labels.#labels.set(feature, label);
    }
    return { labels, conflicts };
  }
}

/** Of two labels of one time the one whose author's name comes first, so that merging either way gives the same. */
const isEarlier = (a: FeatureLabel, b: FeatureLabel): boolean =>
  a.time === b.time ? a.author < b.author : a.time < b.time;

function checkLabel(entry: Readonly<Record<string, unknown>>, name: string): FeatureLabel {
  const text = (field: string): string => {
    const value = fields.text(entry[field], `${name}.${field}`);
    if (value.length > MOST_TEXT)
      throw fields.refuse(`${name}.${field}`, value, `text of at most ${MOST_TEXT} characters`);
    return value;
  };
  const time = text('time');
  const moment = new Date(time);
  if (Number.isNaN(moment.getTime()) || moment.toISOString() !== time)
    throw fields.refuse(`${name}.time`, time, 'a time such as 2026-03-01T12:00:00.000Z');
  return {
    text: text('text'),
    author: text('author'),
    time,
    ...(entry['evidence'] === undefined ? {} : { evidence: text('evidence') }),
  };
}
