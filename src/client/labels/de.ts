import type { Labels } from './types.js';

/** The German words. */
const de: Labels = {
  lang: 'de',
  progress: 'Fortschritt',
  waiting: 'Wartet',
  paused: 'Wartet (angehalten)',
  noWorker: 'Wartet: kein Worker aktiv',
  delayed: 'Geplant',
  running: 'Läuft',
  retrying: 'Neuer Versuch folgt',
  interrupted: 'Unterbrochen',
  cancelling: 'Wird abgebrochen',
  completed: 'Abgeschlossen',
  failed: 'Fehlgeschlagen',
  cancelled: 'Abgebrochen',
  connecting: 'Verbindung wird aufgebaut',
  notFound: 'Nicht gefunden',
  cannotLoad: 'Job kann nicht geladen werden',
  disconnected: '{state} (getrennt, wird neu verbunden)',
  stalled: '{state}, seit {time} ohne Fortschritt',
  placed: '{state}, {place}',
  next: 'als Nächster an der Reihe',
  jobsBefore: { one: '{count} Job davor', other: '{count} Jobs davor' },
  atLeast: 'mindestens {place}',
  begins: '{place}, beginnt in etwa {time}',
  percent: '{percent} %',
  spokenPercent: '{percent} Prozent',
  announcement: '{label}: {state}',
  announcedProgress: '{label}: {state}, {percent} Prozent',
  announcedError: '{label}: {state}: {error}',
};
export default de;
