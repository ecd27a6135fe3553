import { useChannel, useHeadway, useJob } from 'headway-client/react';
import { StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';

function Job() {
  const client = useHeadway();
  // The job from startJob has the token that opens it. Before the start, there is no job to watch.
  const [started, setStarted] = useState();
  const { state, percent, logs, result, error, cancel } = useJob(started);
  const start = async () => setStarted(await client.startJob('steps', { count: 40, intervalMs: 50 }));
  return (
    <>
      <button type="button" onClick={start}>
        Start the job
      </button>
      {state === 'active' && (
        <button type="button" onClick={cancel}>
          Cancel
        </button>
      )}
      {started && (
        <>
          <p>
            <label>
              Progress <progress max="100" value={percent ?? (state === 'active' ? undefined : 0)} />
            </label>
          </p>
          <p role="status">
            {state}
            {result && `: ${result.steps} steps`}
            {error && `: ${error.message}`}
          </p>
          <ul>
            {logs.map(({ at, message }) => (
              <li key={at}>{message}</li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}

function Chat() {
  const client = useHeadway();
  // First the ten newest messages, then each new one.
  const { events } = useChannel('public.chat', { last: 10 });
  const [text, setText] = useState('');
  const say = async (event) => {
    event.preventDefault();
    await client.publish('public.chat', { data: text });
    setText('');
  };
  return (
    <>
      <form onSubmit={say}>
        <label>
          Message to all open pages{' '}
          <input
            value={text}
            onChange={(event) => setText(event.target.value)}
            required
            maxLength={200}
            autoComplete="off"
          />
        </label>
        <button type="submit">Send</button>
      </form>
      <ol aria-label="Messages">
        {events.map(({ id, data }) => (
          <li key={id}>{String(data)}</li>
        ))}
      </ol>
    </>
  );
}

createRoot(document.querySelector('#app')).render(
  <StrictMode>
    <h1>React</h1>
    <h2>A job</h2>
    <Job />
    <h2>A channel</h2>
    <Chat />
  </StrictMode>,
);
