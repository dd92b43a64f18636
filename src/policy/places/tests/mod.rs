mod egress;
mod paths;
mod walk;
