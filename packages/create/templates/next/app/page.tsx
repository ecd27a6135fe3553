import Greetings from './greetings.tsx';

export default function Page() {
  return (
    <main>
      <h1>Greetings</h1>
      <Greetings />
    </main>
  );
}
