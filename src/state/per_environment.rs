//! A value for each environment that was opened in this window.

use crate::domain::environment::EnvId;

/// A value that belongs to one environment.
pub(super) trait OfEnvironment {
    /// The value before anything is known.
    fn new(env: EnvId) -> Self;

    /// The environment that it belongs to.
    fn env(&self) -> &EnvId;
}

/// The value of the environment in use, and those of others that were opened.
#[derive(Debug)]
pub(super) struct PerEnvironment<T> {
    current: T,
    others: Vec<T>,
}

impl<T: OfEnvironment> PerEnvironment<T> {
    pub(super) fn new(env: EnvId) -> Self {
        Self {
            current: T::new(env),
            others: Vec::new(),
        }
    }

    pub(super) fn current(&self) -> &T {
        &self.current
    }

    pub(super) fn current_mut(&mut self) -> &mut T {
        &mut self.current
    }

    pub(super) fn get(&self, env: &EnvId) -> Option<&T> {
        self.iter().find(|value| value.env() == env)
    }

    pub(super) fn get_mut(&mut self, env: &EnvId) -> Option<&mut T> {
        self.iter_mut().find(|value| value.env() == env)
    }

    /// Adds the environment if it was never opened.
    pub(super) fn entry(&mut self, env: &EnvId) -> &mut T {
        if self.current.env() == env {
            return &mut self.current;
        }
        let at = self.others.iter().position(|other| other.env() == env);
        let at = at.unwrap_or_else(|| {
            self.others.push(T::new(env.clone()));
            self.others.len() - 1
        });
        &mut self.others[at]
    }

    /// Takes the place of the value of its environment.
    pub(super) fn put(&mut self, value: T) {
        let env = value.env().clone();
        *self.entry(&env) = value;
    }

    /// Uses this environment from now on.
    pub(super) fn select(&mut self, env: &EnvId) {
        if self.current.env() == env {
            return;
        }
        let at = self.others.iter().position(|other| other.env() == env);
        let next = match at {
            Some(at) => self.others.swap_remove(at),
            None => T::new(env.clone()),
        };
        self.others.push(std::mem::replace(&mut self.current, next));
    }

    /// Takes an environment out that is not in use.
    pub(super) fn remove(&mut self, env: &EnvId) -> Option<T> {
        let at = self.others.iter().position(|other| other.env() == env)?;
        Some(self.others.swap_remove(at))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.current).chain(&self.others)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        std::iter::once(&mut self.current).chain(&mut self.others)
    }
}
