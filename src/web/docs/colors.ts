/** The colours of the other pages, as attributes of the reference renderer. */
export const colors = {
  light: {
    'bg-color': '#ffffff',
    'text-color': '#1b2320',
    'primary-color': '#0b6e5f',
    'secondary-color': '#0b6e5f',
    'header-color': '#1b2320',
    'header-bg-color': '#f4f5f2',
    'nav-bg-color': '#f4f5f2',
    'nav-text-color': '#1b2320',
    'nav-hover-bg-color': '#e3e8e4',
    'nav-hover-text-color': '#0b6e5f',
  },
  dark: {
    'bg-color': '#121715',
    'text-color': '#e8edea',
    'primary-color': '#4cc3ae',
    'secondary-color': '#4cc3ae',
    'header-color': '#e8edea',
    'header-bg-color': '#1b2220',
    'nav-bg-color': '#1b2220',
    'nav-text-color': '#e8edea',
    'nav-hover-bg-color': '#2c3632',
    'nav-hover-text-color': '#4cc3ae',
  },
} as const;
